"""fail2ban-exporter: is the host still guarded, and if not, what brought the guard down?"""

__version__ = "0.1.0"
