"""Makes worlds at random: deployments good and bad, crashes, stops, hangs, and whoever tells of it or fails to."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from enum import Enum
from itertools import count

from exporter.model import ExitKind
from tests.recovery.world import BEGINS, Absence, Edit, Load, Process, Refusal, Report, Traits, World

_BASELINE = frozenset({"recidive", "sshd"})


class Nature(Enum):
    """What a jail does once it is loaded."""

    GOOD = "is good"
    CRASHES = "crashes the server"
    HANGS = "makes the server hang"
    REFUSES = "makes a start fail"


class Habit(Enum):
    """How a tool reports a jail that it activated."""

    NEVER = "is not reported"
    EXACTLY = "is reported exactly"
    TWICE = "is reported twice"
    LATE = "is reported late, with its time"
    UNDATED = "is reported late, without a time"


def make_world(seed: str) -> World:
    """Return the world of this seed, always the same."""
    return _Maker(random.Random(seed)).make()  # noqa: S311  # worlds are to be repeatable, not secret


def _traits(rng: random.Random) -> Traits:
    return Traits(
        horizon=BEGINS + rng.uniform(240, 600),
        interval=rng.choice([30.0, 30.0, 30.0, 10.0]),
        timeout=rng.choice([10.0, 10.0, 3.0]),
        has_configuration=rng.random() < 0.65,
        leaves_traces=rng.random() < 0.6,
        restarts_after=rng.choice([None, 0.1, 0.1, 0.1, 0.5, 3.0, 13.0, 40.0]),
    )


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now = BEGINS
        self._world = World(_traits(rng), _BASELINE)
        self._enabled = _BASELINE
        self._ran: frozenset[str] = _BASELINE
        """Those of the enabled jails that ran since they were enabled."""
        self._natures: dict[str, Nature] = {}
        self._habits: dict[str, Habit] = {}
        self._delays: dict[str, float] = {}
        self._server: Process | None = None

    def make(self) -> World:
        """Play it all out."""
        rng, world = self._rng, self._world
        self._serve(Process("pid:1", BEGINS - 100, jails=[(BEGINS - 99, _BASELINE)]))
        for number in range(rng.randint(2, 5)):
            acts = (self._deployer(f"jail{number}"), self._kill, self._restart, self._hang)
            (act,) = rng.choices(acts, weights=(7, 1, 1, 1))
            self._at(rng.uniform(BEGINS + 15, world.traits.horizon - 30), act)
        while self._plan and self._plan[0][0] < world.traits.horizon:
            self._now, _, happen = heapq.heappop(self._plan)
            happen()
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            world.jumps.append((self._moment(), rng.choice([-3600.0, 3600.0])))
        if rng.random() < 0.3:
            start = self._moment()
            world.absences.append(Absence(start, start + rng.uniform(0.5, 60), keeps_state=rng.random() < 0.7))
        world.jumps.sort()
        world.reports.sort(key=lambda report: report.told)
        return world

    def _moment(self) -> float:
        return self._rng.uniform(BEGINS + 5, self._world.traits.horizon)

    def _at(self, at: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (at, next(self._order), happen))

    def _later(self, lowest: float, highest: float, happen: Callable[[], None]) -> None:
        self._at(self._now + self._rng.uniform(lowest, highest), happen)

    def _note(self, text: str) -> None:
        self._world.log.append((self._now, text))

    # The configuration, and those who change it.

    def _deployer(self, jail: str) -> Callable[[], None]:
        rng = self._rng
        (self._natures[jail],) = rng.choices(list(Nature), weights=(4, 3, 1, 2))
        self._habits[jail] = rng.choice(list(Habit))
        self._delays[jail] = rng.uniform(0.05, 0.95 * self._world.traits.window)
        return lambda: self._deploy(jail)

    def _deploy(self, jail: str) -> None:
        rng = self._rng
        self._edit(self._enabled | {jail}, f"{jail} is enabled: it {self._natures[jail].value}")
        (how_soon,) = rng.choices([(0.05, 3.0), (5.0, 40.0), (70.0, 150.0), None], weights=(12, 3, 3, 1))
        if how_soon is not None:
            self._later(*how_soon, rng.choice([self._reload, self._reload, self._restart]))
        if rng.random() < 0.25:
            self._later(1.5, 150, lambda: self._undeploy(jail))

    def _undeploy(self, jail: str) -> None:
        if jail not in self._enabled:
            return
        self._edit(self._enabled - {jail}, f"{jail} is disabled")
        self._later(0.05, 1, self._start if self._server is None else self._reload)
        if self._rng.random() < 0.4:
            self._natures[jail] = Nature.GOOD
            self._later(3, 120, lambda: self._deploy(jail))

    def _edit(self, enabled: frozenset[str], text: str) -> None:
        self._note(text)
        self._enabled = enabled
        running = frozenset() if self._server is None else self._server.jails_at(self._now)
        self._ran = enabled & (self._ran | running)
        self._world.edits.append(Edit(self._now, enabled))

    # The server.

    def _serve(self, process: Process) -> None:
        self._server = process
        self._world.processes.append(process)

    def _start(self) -> None:
        if self._server is not None:
            return
        rng, number = self._rng, len(self._world.processes) + 1
        if any(self._natures.get(jail) is Nature.REFUSES for jail in self._enabled):
            self._refuse(number)
            return
        self._note(f"a server starts: pid:{number}")
        server = Process(f"pid:{number}", self._now)
        self._serve(server)
        self._later(0.05, 2.0, lambda: self._load(server))
        if rng.random() < 0.05:
            self._later(0.05, 5.0, self._kill)

    def _refuse(self, number: int) -> None:
        rng, fresh = self._rng, self._enabled - self._ran
        self._note("a start is refused")
        self._world.refusals.append(Refusal(self._now, fresh))
        if rng.random() < 0.3:
            ends = self._now + rng.uniform(0.1, 0.6)
            self._world.processes.append(Process(f"pid:{number}", self._now, False, ends, ExitKind.CLEAN))  # noqa: FBT003
            self._at(ends, lambda: None)
        for jail in sorted(fresh):
            self._report(jail)
        bad = [jail for jail in sorted(self._enabled) if self._natures.get(jail) is Nature.REFUSES]
        if rng.random() < 0.8:
            self._later(2, 90, lambda: self._undeploy(bad[0]))
        if rng.random() < 0.3:
            self._later(1, 30, self._start)

    def _reload(self) -> None:
        if self._server is not None and self._server.answers_at(self._now) == self._now:
            self._note("reload")
            self._load(self._server)

    def _load(self, server: Process) -> None:
        if server is not self._server:
            return
        answers = server.answers_at(self._now)
        if answers != self._now:
            self._at(answers, lambda: self._load(server))
            return
        jails = frozenset(jail for jail in self._enabled if self._natures.get(jail) is not Nature.REFUSES)
        before = server.jails_at(self._now)
        server.jails.append((self._now, jails))
        for jail in sorted(jails - before):
            if jail not in self._ran:
                self._note(f"{jail} runs, {self._habits[jail].value}")
                self._world.loads.append(Load(jail, self._now))
                self._report(jail)
                if self._rng.random() < 0.35:
                    self._later(0.05, 1.6 * self._world.traits.window, self._kill)
            self._live(server, jail)
        self._ran |= jails

    def _live(self, server: Process, jail: str) -> None:
        delay = self._delays.get(jail, 0)
        if self._natures.get(jail) is Nature.CRASHES:
            self._later(delay, delay, lambda: self._break(server, jail, self._kill))
        elif self._natures.get(jail) is Nature.HANGS:
            self._later(delay, delay, lambda: self._break(server, jail, self._hang))

    def _break(self, server: Process, jail: str, how: Callable[[], None]) -> None:
        if server is self._server and jail in server.jails_at(self._now):
            self._note(f"{jail} does it")
            if self._rng.random() < 0.5:
                self._later(5, 90, lambda: self._undeploy(jail))
            how()

    def _end(self, kind: ExitKind) -> None:
        if self._server is None:
            return
        self._note(f"{self._server.identity} ends: {kind}")
        hangs = self._server.hangs
        self._server.hangs = [(start, min(end, self._now)) for start, end in hangs]
        self._server.ended, self._server.kind = self._now, kind
        self._server = None

    def _kill(self) -> None:
        if self._server is None:
            return
        self._end(ExitKind.CRASH)
        again = self._world.traits.restarts_after
        if again is not None:
            self._later(again, again * 1.1, self._start)
        if self._rng.random() < 0.7:
            self._later(15, 150, self._start)

    def _restart(self) -> None:
        if self._server is None or self._server.answers_at(self._now) != self._now:
            return
        self._end(ExitKind.CLEAN)
        (gap,) = self._rng.choices([(0.1, 0.3), (1.0, 8.0), (12.0, 40.0), None], weights=(8, 2, 2, 1))
        if gap is not None:
            self._later(*gap, self._start)

    def _hang(self) -> None:
        if self._server is None or self._server.answers_at(self._now) != self._now:
            return
        (lasts,) = self._rng.choices([(0.5, 25.0), (25.0, 160.0), None], weights=(5, 4, 1))
        seconds = math.inf if lasts is None else self._rng.uniform(*lasts)
        self._note(f"{self._server.identity} hangs for {seconds:.1f} s")
        self._server.hangs.append((self._now, self._now + seconds))
        if seconds > 30 and self._rng.random() < 0.4:
            self._later(5, 100, self._kill)

    # Those who tell.

    def _report(self, jail: str) -> None:
        rng, happened, habit = self._rng, self._now, self._habits[jail]
        if habit is Habit.NEVER:
            return
        told = {
            Habit.EXACTLY: [rng.uniform(0.001, 0.05)],
            Habit.TWICE: [rng.uniform(0.001, 0.05), rng.uniform(0.5, 30)],
            Habit.LATE: [rng.uniform(0.5, 90)],
            Habit.UNDATED: [rng.uniform(0.5, 20)],
        }[habit]
        for delay in told:
            is_dated = habit is not Habit.UNDATED
            when = happened if is_dated else happened + delay
            self._world.reports.append(Report(happened + delay, jail, when, is_dated))
