"""What is known about outages, who is to blame for them, and whether they are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from exporter.health.activations import Activation, Source, Span

MAX_REMEMBERED: Final = 1_000
"""Jails that are remembered; the one that nothing was heard of for longest leaves first."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How blame is put, and how counts begin anew, in seconds."""

    window: float = 60.0
    """How long after a jail's activation an outage is blamed on it."""
    grace: float = 10.0
    """How long a restart may take before it counts as an outage."""
    patience: float = 45.0
    """How long a count of bans that began anew stays below what was shown before, so that every scrape sees that."""


class Cause(Enum):
    """Why the server is not online, as far as that has become clear."""

    UNCLEAR = "unclear"
    """Nothing listens, and how the process ended is not settled, or can't be seen."""
    CRASH = "crash"
    EXIT = "exit"
    """A clean end, or one that nobody saw: a restart looks like that at first."""
    HANG = "hang"
    """It runs and does not answer."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The server is not online, or was not for a moment."""

    went_down: Span
    cause: Cause
    due: float
    """Monotonic seconds from which it counts, if it is not over by then; a crash counts at once. Once it counts, the
    latest moment at which a start is known to have failed."""
    identity: str | None = None
    """Of the server process that went down."""
    counts: bool = False
    hung: bool = False
    """Whether the server stopped answering before it ended."""
    starts_failed: bool = False
    """Whether a start was seen to fail during it."""
    candidates: frozenset[str] = frozenset()
    """Jails that were enabled and had not run yet when a start failed: to blame for that, whatever their age."""
    blamed: frozenset[str] = frozenset()
    over: float | None = None
    """Monotonic seconds at which the server was online again."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is kept of a jail that was activated, so that its series go on."""

    activated: float | None = None
    """UTC epoch seconds of its latest activation."""
    failures: int = 0
    """Outages blamed on its activation."""
    detected: float | None = None
    """UTC epoch seconds at which the latest was."""
    pending: bool = False
    """Whether it is blamed for an outage that is not over."""


@dataclass(frozen=True, slots=True)
class Running:
    """The server as the latest successful probe saw it."""

    identity: str
    jails: frozenset[str]
    at: float
    """Monotonic seconds."""
    baseline_until: float
    """Until then jails that appear are only being started, and are no news."""
    to_load: frozenset[str] = frozenset()
    """Jails that were awaited when it was seen first: its start should have loaded them."""
    known: frozenset[str] = frozenset()
    """Jails that run, and as long as it is starting also those of the process before it."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The whole state of activations, outages and blame. Times are monotonic seconds where not called timestamps."""

    policy: Policy
    activations: Mapping[str, Activation] = field(default_factory=dict)
    """Those that an outage may still be put down to."""
    awaited: frozenset[str] = frozenset()
    """Jails told to be activated that were not seen running since."""
    configured: frozenset[str] | None = None
    """Jails that the configuration enables; None until it was read."""
    seen: frozenset[str] = frozenset()
    """Those of the configured jails that were seen running since they were enabled."""
    overdue: frozenset[str] = frozenset()
    """Jails that were enabled before the latest probe: the next one expects them to run."""
    missing: frozenset[str] = frozenset()
    """Jails that the latest probe expected, and that do not run."""
    running: Running | None = None
    is_settled: bool = False
    """Whether a server was seen past its start, so that a jail that does not run is not just about to."""
    last_up: float | None = None
    outage: Outage | None = None
    """The one under way."""
    replaced: tuple[str, ...] = ()
    """Identities of the latest processes in whose place another one was seen online: their ends may come late."""
    past: tuple[Outage, ...] = ()
    """Those that are over: a late telling may still name who caused one that counted, for a window, and one that did
    not may turn out to have been a crash."""
    remembered: Mapping[str, Remembered] = field(default_factory=dict)
    """By jail, in the order in which they were last heard of."""
    told: Mapping[Source, int] = field(default_factory=lambda: dict.fromkeys(Source, 0))
    """Activations, by who told first."""
    recoveries: int = 0
    """Blamed outages that ended online."""

    def candidates(self) -> frozenset[str]:
        """Return the jails that are enabled and have not run yet: the next start is the first that loads them."""
        enabled = self.configured if self.configured is not None and self.is_settled else frozenset()
        # What a tool reported and the configuration does not enable was disabled again.
        awaited = self.awaited if self.configured is None else self.awaited & self.configured
        return awaited | (enabled - self.seen)

    def known_jails(self) -> frozenset[str]:
        """Return the jails that the latest server ran, the configuration enables or a tool reported."""
        running = frozenset[str]() if self.running is None else self.running.jails
        return running | (self.configured or frozenset()) | self.awaited

    def essence(self) -> Recovery:
        """Return what of it is worth writing down when it changes: all but when the server was seen last."""
        running = None if self.running is None else replace(self.running, at=0.0)
        return replace(self, last_up=None, running=running)

    def of_another_server(self) -> Recovery:
        """Return what still holds when another server is asked from now on: counters, and nobody is blamed any more."""
        remembered = {jail: replace(kept, pending=False) for jail, kept in self.remembered.items()}
        return Recovery(
            self.policy, configured=self.configured, remembered=remembered, told=self.told, recoveries=self.recoveries
        )

    def of_another_boot(self) -> Recovery:
        """Return what still holds after a boot of the machine: the server that ran has ended with the former one."""
        return replace(self, running=None)

    def without_configuration(self) -> Recovery:
        """Return the same with nothing known of the configuration."""
        nobody = frozenset[str]()
        return replace(self, configured=None, seen=nobody, overdue=nobody, missing=nobody)

    def shifted(self, seconds: float) -> Recovery:
        """Return the same with all monotonic times that much later, to carry it over to another boot."""

        def moved(span: Span) -> Span:
            return Span(span.start + seconds, span.end + seconds)

        def later(outage: Outage) -> Outage:
            over = None if outage.over is None else outage.over + seconds
            return replace(outage, went_down=moved(outage.went_down), due=outage.due + seconds, over=over)

        running = self.running
        return replace(
            self,
            activations={
                jail: replace(
                    one,
                    happened=moved(one.happened),
                    counted=one.counted + seconds,
                    edited=None if one.edited is None else one.edited + seconds,
                    dated=None if one.dated is None else one.dated + seconds,
                    earlier=tuple(map(moved, one.earlier)),
                )
                for jail, one in self.activations.items()
            },
            running=None
            if running is None
            else replace(running, at=running.at + seconds, baseline_until=running.baseline_until + seconds),
            last_up=None if self.last_up is None else self.last_up + seconds,
            outage=None if self.outage is None else later(self.outage),
            past=tuple(map(later, self.past)),
        )

    def pending(self) -> tuple[str, ...]:
        """Return the jails that are blamed for the outage under way, sorted."""
        return tuple(sorted(jail for jail, kept in self.remembered.items() if kept.pending))

    def deadline(self) -> float | None:
        """Return the monotonic time at which the outage under way begins to count; None if there is none that will."""
        return None if self.outage is None or self.outage.counts else self.outage.due
