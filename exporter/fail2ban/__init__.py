"""All that knows fail2ban: its wire format, its versions, its process. Nothing here knows Prometheus or HTTP."""

from exporter.fail2ban.bulk import Bulk
from exporter.fail2ban.client import Client
from exporter.fail2ban.commands import has_readable_settings
from exporter.fail2ban.failures import ProbeError
from exporter.fail2ban.jail_actions import JailAction
from exporter.fail2ban.jail_watch import JailWatch

__all__ = ["Bulk", "Client", "JailAction", "JailWatch", "ProbeError", "has_readable_settings"]
