"""What the probes mean: states, counts, blame. A pure reducer, without I/O or a clock: time comes with the event."""

from exporter.health.activations import Source
from exporter.health.bans import Bans, JailBans, Question, Recount
from exporter.health.canary import Attack, Canary, CanaryResult, CanaryRun
from exporter.health.events import (
    ActivationReported,
    BansRecounted,
    ConfigurationRead,
    Event,
    ProbeEnded,
    ServerExited,
    TimePassed,
)
from exporter.health.histogram import Histogram
from exporter.health.history import PastProbe
from exporter.health.recovery import Policy, Recovery, Remembered
from exporter.health.reducer import reduce, reduce_all
from exporter.health.state import Health

__all__ = [
    "ActivationReported",
    "Attack",
    "Bans",
    "BansRecounted",
    "Canary",
    "CanaryResult",
    "CanaryRun",
    "ConfigurationRead",
    "Event",
    "Health",
    "Histogram",
    "JailBans",
    "PastProbe",
    "Policy",
    "ProbeEnded",
    "Question",
    "Recount",
    "Recovery",
    "Remembered",
    "ServerExited",
    "Source",
    "TimePassed",
    "reduce",
    "reduce_all",
]
