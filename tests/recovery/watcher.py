"""The exporter, simulated: the real reducer and schedule, driven through a world as `exporter.prober` drives them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Final

from exporter.health import ActivationReported, ConfigurationRead, Event, Health, ProbeEnded, ServerExited, reduce
from exporter.health.activations import Span
from exporter.health.recovery import Policy, Recovery
from exporter.model import ExitKind, Jail, Probe, Result, Server, ServerExit, State
from exporter.schedule import next_probe
from tests.recovery.storage import Storage
from tests.recovery.world import BEGINS, Process, Report, World

_LOOK_EVERY: Final = 1.0
_SETTLES_IN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Blame:
    """A jail was blamed for an outage."""

    jail: str
    at: float
    went_down: Span
    """When, as far as the exporter knew."""


@dataclass(frozen=True, slots=True)
class Look:
    """A probe that ended."""

    started: float
    at: float
    result: Result
    identity: str | None
    jails: frozenset[str]


@dataclass(slots=True)
class Seen:
    """All that the exporter was told, and what it made of it."""

    looks: list[Look] = field(default_factory=list)
    exits: list[tuple[float, ServerExit]] = field(default_factory=list)
    readings: list[ConfigurationRead] = field(default_factory=list)
    reports: list[tuple[Report, float]] = field(default_factory=list)
    """Those that reached it, with the moment that is meant by its own clock."""
    begun: list[float] = field(default_factory=list)
    """When it began to watch without knowing anything."""
    blames: list[Blame] = field(default_factory=list)
    log: list[tuple[float, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises of the counters and flags that were not kept, and when."""


def watch(world: World, seed: str, *, at_once: bool) -> Seen:
    """Let an exporter watch the world from its beginning to its end.

    Args:
        world: what happens.
        seed: of the exporter's own luck: latencies, the moments of its looks.
        at_once: whether it sees the end of a process as it happens; otherwise only its probes show it.
    """
    rng = random.Random(seed)  # noqa: S311  # worlds are to be repeatable, not secret
    seen, storage, now = Seen(), Storage() if world.absences else None, BEGINS
    for absence in world.absences:
        _Life(world, rng, seen, storage, at_once=at_once).live(now, absence.start)
        seen.log.append((absence.start, "exporter: ends"))
        if storage is not None and not absence.keeps_state:
            storage.lose()
        now = absence.end
    _Life(world, rng, seen, storage, at_once=at_once).live(now, world.traits.horizon)
    return seen


class _Life:
    """One run of the exporter, from its start to its end."""

    def __init__(self, world: World, rng: random.Random, seen: Seen, storage: Storage | None, *, at_once: bool) -> None:
        self._world = world
        self._traits = world.traits
        self._rng = rng
        self._seen = seen
        self._storage = storage
        self._at_once = at_once
        policy = Policy(window=world.traits.window, grace=world.traits.grace)
        self._health = Health.initial(world.traits.timeout, policy)
        self._now = 0.0
        self._end = 0.0
        self._met: list[Process] = []
        """Processes that were connected to and whose end is not known yet."""
        self._alive_at: dict[str, float] = {}
        """When each was last known to run."""
        self._settling: list[tuple[float, ServerExit]] = []
        self._looked_at = -math.inf
        """When the configuration was looked at; once a second from then on."""
        self._enabled: frozenset[str] | None = None
        self._reports: list[Report] = []

    def live(self, start: float, end: float) -> None:
        """Run from then until then."""
        self._now, self._end = start, end
        self._reports = [report for report in self._world.reports if start <= report.told < end]
        self._wake_up()
        while self._now < end:
            self._turn()

    def _wake_up(self) -> None:
        self._note("exporter: starts")
        known = None
        if self._storage is not None:
            known = self._storage.load(self._health, self._now, self._wall())
        if known is None:
            self._seen.begun.append(self._now)
            return
        self._health = known
        running = known.recovery.running
        if running is not None:
            self._alive_at[running.identity] = running.at
            told = {one.identity for _, one in self._seen.exits}
            self._met = [one for one in self._world.processes if one.identity == running.identity not in told]

    # One turn: probe, publish, wait.

    def _turn(self) -> None:
        started = self._now
        was_online = self._health.state is State.ONLINE
        probe, look = self._probe(started)
        if look.at >= self._end:
            self._now = self._end
            return
        self._now = look.at
        self._seen.looks.append(look)
        changes = self._look_at_configuration(started, again=was_online and look.result is not Result.SUCCESS)
        reports = [self._take_report() for _ in range(sum(one.told <= self._now for one in self._reports))]
        ended = ProbeEnded(probe, at=self._now, timestamp=self._wall())
        self._publish(*changes, *reports, ended, *self._ended_by_now(look))
        self._wait(next_probe(self._health, self._traits.interval, started, self._now))

    def _wait(self, due: float) -> None:
        while self._now < self._end:
            hint = min((self._noticed(one) for one in self._met), default=math.inf) if self._at_once else math.inf
            settles = min((at for at, _ in self._settling), default=math.inf)
            edit, report = self._next_edit(), self._next_report()
            self._now = at = max(self._now, min(due, hint, settles, edit, report, self._end))
            if at >= min(self._end, due, hint):
                return
            if at >= edit:
                self._publish(*self._read_configuration(edit - _LOOK_EVERY))
                return
            if at >= report:
                self._publish(self._take_report())
            else:
                self._publish(*self._settled())
                if self._health.state is State.ONLINE:
                    return

    # What it asks, and what it gets.

    def _probe(self, started: float) -> tuple[Probe, Look]:
        at, deadline = started + self._latency(), started + self._traits.timeout
        while True:
            process = self._world.process_at(at)
            if process is None:
                return self._failed(Result.CONNECTION_REFUSED, started, at)
            self._meet(process, at)
            answered = process.answers_at(at)
            if answered < min(deadline, process.ended):
                return self._answered(process, started, answered)
            if process.ended >= deadline:
                return self._failed(Result.TIMEOUT, started, deadline)
            at = process.ended + self._latency()

    def _failed(self, result: Result, started: float, at: float) -> tuple[Probe, Look]:
        probe = Probe(result, reason=result, duration=at - started)
        return probe, Look(started, at, result, None, frozenset())

    def _answered(self, process: Process, started: float, at: float) -> tuple[Probe, Look]:
        running = process.jails_at(at)
        self._alive_at[process.identity] = at
        probe = Probe(
            Result.SUCCESS,
            reason="fail2ban answered",
            duration=at - started,
            server=Server(version="1.1.0", identity=process.identity),
            jail_count=len(running),
            jails=tuple(Jail(name, failed=0, failures=0, banned=0, bans=0) for name in sorted(running)),
        )
        return probe, Look(started, at, Result.SUCCESS, process.identity, running)

    def _meet(self, process: Process, at: float) -> None:
        if process not in self._met and (self._at_once or process.serves):
            self._met.append(process)
            self._alive_at.setdefault(process.identity, at)

    def _latency(self) -> float:
        return self._rng.uniform(0.0005, 0.01) if self._rng.random() < 0.95 else self._rng.uniform(0.01, 1.0)

    # Ends of processes.

    def _noticed(self, process: Process) -> float:
        return process.ended + 0.003

    def _ended_by_now(self, look: Look) -> list[ServerExited]:
        """Return the ends that are clear as soon as a probe ended, and let the others settle."""
        for process in [one for one in self._met if one.ended <= self._now]:
            is_shown = look.identity != process.identity and look.result is not Result.TIMEOUT
            if self._at_once or is_shown:
                self._met.remove(process)
                self._settling.append(self._exit(process))
        return self._settled()

    def _exit(self, process: Process) -> tuple[float, ServerExit]:
        """Return the end of this process, and when it is clear how it ended."""
        is_watched = self._at_once and process.ended > self._alive_at[process.identity] and not self._was_away(process)
        if is_watched:
            kind = process.kind or ExitKind.UNKNOWN
            lag = self._rng.choice([0.0, self._rng.uniform(0, 0.5)])
            after, before = process.ended - 0.001, min(self._now, self._noticed(process))
        else:
            lag = 0.0 if process.kind is ExitKind.CRASH else _SETTLES_IN
            kind = self._by_traces(process, self._now + lag)
            lag = _SETTLES_IN if kind is ExitKind.UNKNOWN else lag
            after, before = self._alive_at[process.identity], self._now
        return self._now + lag, ServerExit(kind, process.identity, after, before)

    def _was_away(self, process: Process) -> bool:
        return any(absence.start <= process.ended <= absence.end for absence in self._world.absences)

    def _by_traces(self, process: Process, settled: float) -> ExitKind:
        """Return what the socket's folder shows, unless a start has wiped that out."""
        wiped = any(process.ended <= other.listens <= settled for other in self._world.processes)
        return process.kind if self._traits.leaves_traces and not wiped and process.kind else ExitKind.UNKNOWN

    def _settled(self) -> list[ServerExited]:
        clear = [one for at, one in self._settling if at <= self._now]
        self._settling = [(at, one) for at, one in self._settling if at > self._now]
        self._seen.exits += [(self._now, one) for one in clear]
        return [ServerExited(one, at=self._now, timestamp=self._wall()) for one in clear]

    # What it is told.

    def _next_edit(self) -> float:
        """Return when the next change of the configuration is seen."""
        if not self._traits.has_configuration:
            return math.inf
        edit = next((one.at for one in self._world.edits if one.at > self._looked_at), math.inf)
        return math.inf if edit == math.inf else self._looked_at + math.ceil(edit - self._looked_at) * _LOOK_EVERY

    def _look_at_configuration(self, started: float, *, again: bool) -> list[Event]:
        """Look if a look is due since the probe was started, or if it must be read again now."""
        if not self._traits.has_configuration:
            return []
        looked = self._looked_at
        if math.isfinite(looked):
            looked += math.floor(max(0.0, started - looked)) * _LOOK_EVERY
        return self._read_configuration(looked) if again or self._now >= looked + _LOOK_EVERY else []

    def _read_configuration(self, since: float) -> list[Event]:
        enabled, known = self._world.enabled_at(self._now), self._enabled
        self._looked_at, self._enabled = self._now, enabled
        if enabled == known:
            return []
        reading = ConfigurationRead(enabled, since=since, at=self._now, timestamp=self._wall())
        self._seen.readings.append(reading)
        return [reading]

    def _next_report(self) -> float:
        return max(self._now, self._reports[0].told) if self._reports else math.inf

    def _take_report(self) -> ActivationReported:
        report = self._reports.pop(0)
        # Sent with the wall clock's time, as it was when it happened.
        age = max(0.0, self._wall() - self._world.wall(report.happened)) if report.is_dated else 0.0
        happened = self._now - age
        self._seen.reports.append((report, happened))
        return ActivationReported(report.jail, happened=happened, at=self._now, timestamp=self._wall() - age)

    # The reducer.

    def _publish(self, *events: Event) -> None:
        for event in events:
            before = self._health.recovery
            self._health = reduce(self._health, event)
            self._check(event, before)
            self._gather(before)
        if self._storage is not None and events:
            self._storage.save(self._health, self._now, self._wall())

    def _check(self, event: Event, before: Recovery) -> None:
        after = self._health.recovery
        if isinstance(event, ProbeEnded) and self._health.state is State.ONLINE and after.pending():
            self._seen.broken.append(f"{self._now:.3f} a flag is 1 though fail2ban is online")
        if after.recoveries < before.recoveries or any(after.told[one] < before.told[one] for one in after.told):
            self._seen.broken.append(f"{self._now:.3f} a counter went back")
        if before.pending() and not after.pending() and after.recoveries == before.recoveries:
            self._seen.broken.append(f"{self._now:.3f} flags went to 0 and no recovery was counted")

    def _gather(self, before: Recovery) -> None:
        """Note who was blamed just now, and for what."""
        after = self._health.recovery
        if after.remembered is before.remembered:
            return
        for jail, kept in after.remembered.items():
            former = before.remembered.get(jail)
            more = kept.failures - (0 if former is None else former.failures)
            if more > 0:
                news = [span for span in _blamed(after, jail) if span not in _blamed(before, jail)]
                self._seen.blames += [Blame(jail, self._now, span) for span in news[-more:]]

    def _wall(self) -> float:
        return self._world.wall(self._now)

    def _note(self, text: str) -> None:
        self._seen.log.append((self._now, text))


def _blamed(recovery: Recovery, jail: str) -> list[Span]:
    """Return when the server went down in each outage that this jail is blamed for."""
    outages = recovery.past if recovery.outage is None else (*recovery.past, recovery.outage)
    return [outage.went_down for outage in outages if jail in outage.blamed]
