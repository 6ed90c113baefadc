"""All that knows fail2ban: its wire format, its versions, its process. Nothing here knows Prometheus or HTTP."""

from exporter.fail2ban.client import Client

__all__ = ["Client"]
