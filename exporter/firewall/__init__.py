"""Whether what fail2ban bans is in the firewall: where its actions put addresses, and what is there."""

from exporter.firewall.monitor import FirewallMonitor, FirewallOptions

__all__ = ["FirewallMonitor", "FirewallOptions"]
