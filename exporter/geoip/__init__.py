"""Which countries and networks bans come from: counted at a slow interval, by a process that ends with the count."""

from exporter.geoip.database import database_faults
from exporter.geoip.monitor import GeoipMonitor, GeoipOptions

__all__ = ["GeoipMonitor", "GeoipOptions", "database_faults"]
