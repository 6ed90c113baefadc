"""What the probes mean: states and counts, as a pure reducer. No I/O here and no clock: time comes with the event."""

from exporter.health.events import Event, ProbeEnded, ServerExited
from exporter.health.histogram import Histogram
from exporter.health.reducer import reduce
from exporter.health.state import Health

__all__ = ["Event", "Health", "Histogram", "ProbeEnded", "ServerExited", "reduce"]
