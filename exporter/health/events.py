"""What can happen, each event with its own time: `at` in monotonic seconds, `timestamp` in UTC epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from exporter.health.bans import Recount
from exporter.model import Probe, ServerExit


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """A probe ended, either way."""

    probe: Probe
    at: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class ServerExited:
    """The end of a server process became clear."""

    exit: ServerExit
    at: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class ConfigurationRead:
    """The configuration was read."""

    enabled: frozenset[str]
    """The jails that it enables."""
    since: float
    """Monotonic seconds of the look before: what changed, changed after it. Minus infinity if there was none."""
    at: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class ActivationReported:
    """A tool said that it activated a jail."""

    jail: str
    happened: float
    """Monotonic seconds at which, by what the tool said; not later than `at`."""
    at: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class BansRecounted:
    """It became known how many of a jail's bans were restored."""

    recount: Recount
    at: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but that it is later now."""

    at: float
    timestamp: float


Event: TypeAlias = ProbeEnded | ServerExited | ConfigurationRead | ActivationReported | BansRecounted | TimePassed
