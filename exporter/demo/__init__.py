"""A simulated fail2ban 1.1.1: the real wire protocol on a real socket, in a process of its own that can really end."""

from exporter.demo.supervisor import Demo

__all__ = ["Demo"]
