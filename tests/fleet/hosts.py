"""One simulated host: real events become real health, and that a real scrape; only what befalls it is made up.

Its fail2ban is probed when it is scraped, at most every four seconds, and has attackers that come at a steady pace.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from exporter.exposition import Collects, Exposition
from exporter.health import ActivationReported, Event, Health, ProbeEnded, ServerExited, reduce
from exporter.model import ExitKind, Jail, Probe, Result, ServerExit
from exporter.negotiation import Format
from exporter.snapshot import ProbeOptions, Snapshot
from tests.snapshots import failure, files, jail, log_files, recounted, server, success

BLAMED_JAIL: Final = "nginx-botsearch"
"""The jail that brings fail2ban down where that happens."""
MISSING_JAIL: Final = "recidive"
"""The jail that is expected, and does not run where that happens."""

_JAILS: Final = ("sshd", "nginx-http-auth", "postfix", "dovecot", MISSING_JAIL, "apache-auth", "vsftpd")
_FEWEST_JAILS: Final = 3
# Nobody here is hurried: all hosts share one process, with whatever else keeps the machine busy.
_PROBE_EVERY: Final = 4.0
_OWN_MAX_AGE: Final = 60.0
_CRASH_EVERY: Final = 5.0
_INTERVAL, _TIMEOUT = 30.0, 10.0


class Trouble(Enum):
    """What befalls a host once trouble begins."""

    NONE = "none"
    BLAMED = "fail2ban crashes after a jail was activated, and stays down"
    MISSING = "a jail that is expected does not run any more"
    FLAPPING = "fail2ban crashes and is started again, all the time"
    INACCESSIBLE = "the exporter may not open fail2ban's socket any more"
    GONE = "the exporter answers no more"


_TROUBLES: Final = {5: Trouble.BLAMED, 15: Trouble.MISSING, 25: Trouble.FLAPPING, 35: Trouble.INACCESSIBLE}
_ONE_IN: Final = 50


def trouble_of(number: int) -> Trouble:
    """What befalls a host by its number: one in fifty for each kind of trouble, and all is well with nine in ten."""
    return {**_TROUBLES, 45: Trouble.GONE}.get(number % _ONE_IN, Trouble.NONE)


def name_of(number: int) -> str:
    """A host's name, by which it is scraped too."""
    return f"host-{number:05}"


class SimulatedHost:
    """A host with an exporter and a fail2ban of three to seven jails.

    Args:
        number: Which one.
        own: The exporter's own metrics.
        clock: Monotonic seconds.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        number: int,
        own: Collects,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name_of(number)
        self.trouble = trouble_of(number)
        self.jails = _JAILS[: _FEWEST_JAILS + number % (len(_JAILS) - _FEWEST_JAILS + 1)]
        if self.trouble is Trouble.MISSING and MISSING_JAIL not in self.jails:
            self.jails = (*self.jails, MISSING_JAIL)
        self._number = number
        self._clock, self._wall = clock, wall
        self._began = clock()
        self._started_at = wall() - 86_400
        self._troubled_since: float | None = None
        self._processes = 1
        self._probed_at = float("-inf")
        expected = (MISSING_JAIL,) if self.trouble is Trouble.MISSING else ()
        self._options = ProbeOptions("/run/fail2ban/fail2ban.sock", _INTERVAL, _TIMEOUT, expected)
        self._snapshot = Snapshot(self._options, Health.initial(_TIMEOUT), beat=self._began, config_faults=0)
        self._exposition = Exposition(lambda: self._snapshot, own, clock, own_max_age=_OWN_MAX_AGE)

    def begin_trouble(self) -> None:
        """Let happen what is to befall it."""
        self._troubled_since = self._clock()

    def scrape(self, form: Format, *, compress: bool) -> bytes | None:
        """Return what a scrape gets; None for no answer."""
        if self._in(Trouble.GONE):
            return None
        now = self._clock()
        if now - self._probed_at >= _PROBE_EVERY:
            self._probe(now)
            self._probed_at = now
        return self._exposition.render(form, compress=compress)

    def _in(self, trouble: Trouble) -> bool:
        return self._troubled_since is not None and self.trouble is trouble

    def _probe(self, now: float) -> None:
        if self._in(Trouble.BLAMED):
            if not self._snapshot.health.recovery.remembered:
                self._crash_after_activation(now)
            probe = failure(Result.CONNECTION_REFUSED, "nothing listens on the socket")
        elif self._in(Trouble.INACCESSIBLE):
            probe = failure(Result.PERMISSION_DENIED, "no permission to open the socket")
        else:
            if self._in(Trouble.FLAPPING):
                self._crash_as_often_as_it_should_have(now)
            probe = self._answer(now)
        self._publish(now, ProbeEnded(probe, at=now, timestamp=self._wall()), probe)

    def _crash_after_activation(self, now: float) -> None:
        moment = max(self._probed_at, now - 1)
        self._publish(now, ActivationReported(BLAMED_JAIL, happened=moment, at=now, timestamp=self._wall()))
        self._crash(now)

    def _crash_as_often_as_it_should_have(self, now: float) -> None:
        troubled_for = now - (self._troubled_since or now)
        while self._processes - 1 < troubled_for // _CRASH_EVERY:
            self._crash(now)
            self._processes += 1

    def _crash(self, now: float) -> None:
        ended = ServerExit(ExitKind.CRASH, self._identity, after=now, before=now)
        self._publish(now, ServerExited(ended, at=now, timestamp=self._wall()))

    @property
    def _identity(self) -> str:
        return f"pid:{self._processes}:1"

    def _answer(self, now: float) -> Probe:
        missing = MISSING_JAIL if self._in(Trouble.MISSING) else ""
        jails = sorted(name for name in self.jails if name != missing)
        shown = (self._attacked(place, name, now) for place, name in enumerate(jails))
        process = server(identity=self._identity, start_time=self._started_at)
        return success(*shown, duration=0.0002 * (1 + self._number % 40), server=process)

    def _attacked(self, place: int, name: str, now: float) -> Jail:
        failures = int((now - self._began) * (1 + (self._number + place) % 5))
        return jail(name, failed=failures % 20, failures=failures, banned=failures % 100, bans=failures // 5)

    def _publish(self, now: float, event: Event, probe: Probe | None = None) -> None:
        health = reduce(self._snapshot.health, event)
        latest = self._snapshot.probe if probe is None else probe
        if probe is not None and health.bans.questions():
            health = recounted(health, probe, now)  # of a fresh server none was restored
        seen = files(*(log_files(name) for name in self.jails), database_bytes=4096 * (1 + self._number % 100))
        self._snapshot = Snapshot(self._options, health, beat=now, probe=latest, config_faults=0, files=seen)
