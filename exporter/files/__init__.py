"""The files that fail2ban names, looked at beside the prober: its jails' log files, and its database."""

from exporter.files.monitor import FilesMonitor

__all__ = ["FilesMonitor"]
