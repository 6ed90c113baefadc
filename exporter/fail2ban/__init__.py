"""All that knows fail2ban: its wire format, its versions, its process. Nothing here knows Prometheus or HTTP."""

from exporter.fail2ban.ban_lists import BanLists, JailLook
from exporter.fail2ban.ban_times import Ban, dated_until, zone_shift
from exporter.fail2ban.bulk import Bulk
from exporter.fail2ban.client import Client
from exporter.fail2ban.commands import has_readable_settings
from exporter.fail2ban.failures import ProbeError
from exporter.fail2ban.jail_actions import JailAction
from exporter.fail2ban.jail_watch import JailWatch

__all__ = [
    "Ban",
    "BanLists",
    "Bulk",
    "Client",
    "JailAction",
    "JailLook",
    "JailWatch",
    "ProbeError",
    "dated_until",
    "has_readable_settings",
    "zone_shift",
]
