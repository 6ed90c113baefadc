"""What really happens on a host, moment by moment: the truth that the exporter must find out for itself.

A world is made beforehand and never changes: watching it has no effect on it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from exporter.model import ExitKind

BEGINS: Final = 1000.0
"""Monotonic seconds at which the exporter starts to watch."""


@dataclass(slots=True)
class Process:
    """A server process, from the moment that it listens."""

    identity: str
    listens: float
    serves: bool = True
    """False for a start that fails after it has listened for a moment: it gives no complete answer."""
    ended: float = math.inf
    kind: ExitKind | None = None
    jails: list[tuple[float, frozenset[str]]] = field(default_factory=list)
    """Which jails run from when on; none before the first."""
    hangs: list[tuple[float, float]] = field(default_factory=list)

    def jails_at(self, at: float) -> frozenset[str]:
        """Return the jails that run then."""
        running = frozenset[str]()
        for since, jails in self.jails:
            if since > at:
                break
            running = jails
        return running

    def answers_at(self, asked: float) -> float:
        """Return when it answers what it is asked then; infinite if never."""
        for start, end in self.hangs:
            if start <= asked < end:
                asked = end
        return asked if self.serves and asked < self.ended else math.inf


@dataclass(frozen=True, slots=True)
class Load:
    """A jail that was enabled a while ago, or right now, runs for the first time since."""

    jail: str
    at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A start that failed, with the jails that it would have loaded for the first time since they were enabled."""

    at: float
    fresh: frozenset[str]


@dataclass(frozen=True, slots=True)
class Edit:
    """The configuration enables exactly these jails from now on."""

    at: float
    enabled: frozenset[str]


@dataclass(frozen=True, slots=True)
class Report:
    """A tool tells of an activation."""

    told: float
    jail: str
    happened: float
    """What it says: when it happened."""
    is_dated: bool
    """False where the tool gives no time, so that the moment of telling is taken for it."""


@dataclass(frozen=True, slots=True)
class Absence:
    """The exporter does not run."""

    start: float
    end: float
    keeps_state: bool


@dataclass(frozen=True, slots=True)
class Traits:
    """What does not change during a timeline."""

    horizon: float
    interval: float
    timeout: float
    has_configuration: bool
    """Whether the exporter may read it."""
    leaves_traces: bool
    """Whether the socket's folder outlives the server, so that a look at it tells a crash from a stop."""
    restarts_after: float | None
    """Seconds from a crash to the automatic restart; None without one."""
    window: float = 60.0
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Outage:
    """From the moment that the server no longer serves to the one at which it does again."""

    down: float
    up: float
    """Infinite if it never does."""
    ended: float | None
    """When the process ended, if it did: later than `down` where it hung before."""
    identity: str
    is_crash: bool
    counts: bool
    guilty: frozenset[str]

    @property
    def hung(self) -> bool:
        """Whether it stopped answering before it ended, or did not end at all."""
        return self.ended != self.down


@dataclass(slots=True)
class World:
    """All that happened."""

    traits: Traits
    baseline: frozenset[str]
    """Jails that have been enabled and running for ever."""
    processes: list[Process] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    """From when on the wall clock is how many seconds off."""
    log: list[tuple[float, str]] = field(default_factory=list)

    def process_at(self, at: float) -> Process | None:
        """Return the process that listens then."""
        index = bisect_right(self.processes, at, key=lambda process: process.listens) - 1
        return self.processes[index] if index >= 0 and at < self.processes[index].ended else None

    def enabled_at(self, at: float) -> frozenset[str]:
        """Return what the configuration enables then."""
        index = bisect_right(self.edits, at, key=lambda edit: edit.at) - 1
        return self.edits[index].enabled if index >= 0 else self.baseline

    def wall(self, at: float) -> float:
        """Return what the wall clock shows then."""
        off = 0.0
        for since, seconds in self.jumps:
            if since <= at:
                off = seconds
        return 1_700_000_000.0 + at + off

    def outages(self) -> list[Outage]:
        """Return the truth: every outage, whether it counts, and whose activation is to blame for it."""
        served = sorted(self._served())
        return [
            self._outage(down, up, process)
            for (_, down, process), up in zip(served, [start for start, _, _ in served[1:]] + [math.inf], strict=True)
            if down < self.traits.horizon
        ]

    def _served(self) -> Iterator[tuple[float, float, Process]]:
        for process in self.processes:
            if process.serves:
                start = process.listens
                for hang, resumed in process.hangs:
                    yield start, hang, process
                    start = resumed
                if start < process.ended:
                    yield start, process.ended, process

    def _outage(self, down: float, up: float, process: Process) -> Outage:
        ended = process.ended if process.ended < up else None
        is_crash = ended is not None and process.kind is ExitKind.CRASH
        hangs_for = (up if ended is None else ended) - down
        too_long = ended is not None and up - ended > self.traits.grace
        counts = is_crash or too_long or hangs_for > self.traits.window
        caused = {load.jail for load in self.loads if load.at <= down <= load.at + self.traits.window}
        refused = {jail for refusal in self.refusals if down <= refusal.at < up for jail in refusal.fresh}
        guilty = frozenset(caused | refused) if counts else frozenset[str]()
        return Outage(down, up, ended, process.identity, is_crash, counts, guilty)
