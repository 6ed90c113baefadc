"""What is known about fail2ban's health, from all events so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from exporter.health.bans import Bans
from exporter.health.histogram import Histogram
from exporter.health.history import PastProbe
from exporter.health.recovery import Policy, Recovery
from exporter.model import ExitKind, Result, State


@dataclass(frozen=True, slots=True)
class Health:
    """The health of the guard. Timestamps are UTC epoch seconds, durations seconds."""

    durations: Histogram
    recovery: Recovery
    state: State = State.UNKNOWN
    reason: str = "no probe has ended yet"
    """For people: why the state is what it is."""
    changed_at: float | None = None
    """Monotonic seconds at which the state became what it is."""
    since: float | None = None
    """The same, as a timestamp."""
    probes: Mapping[Result, int] = field(default_factory=lambda: dict.fromkeys(Result, 0))
    consecutive_failures: int = 0
    last_probe: float | None = None
    last_success: float | None = None
    history: tuple[PastProbe, ...] = ()
    """The latest probes of this server, the oldest first; not kept over a restart of the exporter."""
    exits: Mapping[ExitKind, int] = field(default_factory=lambda: dict.fromkeys(ExitKind, 0))
    restarts: int = 0
    bans: Bans = field(default_factory=Bans)
    server_identity: str | None = None
    """The server process seen last."""
    watchful_until: float = float("-inf")
    """Monotonic seconds until which jails may be about to be loaded, because the configuration changed."""

    @classmethod
    def initial(cls, timeout: float, policy: Policy | None = None) -> Health:
        """Return what is known before the first event."""
        return cls(durations=Histogram.up_to(timeout), recovery=Recovery(policy or Policy()))

    def of_another_server(self) -> Health:
        """Return what still holds when another server is asked from now on: counters and timestamps."""
        return replace(
            self,
            state=State.UNKNOWN,
            reason="no probe of this server has ended yet",
            changed_at=None,
            since=None,
            server_identity=None,
            history=(),
            bans=Bans(),
            recovery=self.recovery.of_another_server(),
        )
