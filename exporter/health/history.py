"""The latest probes, kept for people to look at: how long they took and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from exporter.model import Probe, Result

MAX_PROBES: Final = 60
"""How many are kept; the oldest leaves first."""


@dataclass(frozen=True, slots=True)
class PastProbe:
    """What is kept of a probe."""

    ended: float
    """UTC epoch seconds."""
    duration: float
    result: Result


def with_probe(history: tuple[PastProbe, ...], probe: Probe, ended: float) -> tuple[PastProbe, ...]:
    """Return the history with one more probe, which ended at that UTC epoch time."""
    return (*history[1 - MAX_PROBES :], PastProbe(ended, probe.duration, probe.result))
