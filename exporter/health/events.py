"""What can happen, each event with its own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from exporter.model import ExitKind, Probe


@dataclass(frozen=True, slots=True)
class ProbeEnded:
    """A probe ended, either way."""

    probe: Probe
    at: float
    """Monotonic seconds."""
    timestamp: float
    """UTC epoch seconds."""


@dataclass(frozen=True, slots=True)
class ServerExited:
    """The end of a server process became clear."""

    kind: ExitKind


Event: TypeAlias = ProbeEnded | ServerExited
