"""Whatever happens in whatever order: what flags and counters promise holds, also over a restart of the exporter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.health import (
    ActivationReported,
    ConfigurationRead,
    Event,
    Health,
    Policy,
    ProbeEnded,
    ServerExited,
    TimePassed,
    reduce,
    reduce_all,
)
from exporter.health.recovery import MAX_REMEMBERED
from exporter.model import ExitKind, Result, ServerExit, State
from tests.fuzz import examples
from tests.recovery.storage import decode, encode
from tests.snapshots import failure, jail, server, success

WALL: Final = 1_700_000_000.0
INITIAL: Final = Health.initial(10, Policy(window=60, grace=10))

JAILS: Final = ("a", "b", "c", "d")
JAIL: Final = st.sampled_from(JAILS)
SETS: Final = st.frozensets(JAIL)
AGES: Final = st.sampled_from([0.0, 0.5, 2.0, 9.0, 30.0, 61.0, 200.0])
STEPS: Final = st.sampled_from([0.001, 0.1, 1.0, 5.0, 10.0, 31.0, 60.0, 61.0, 500.0])
EXIT_KINDS: Final = st.sampled_from(ExitKind)
FAILURES: Final = st.sampled_from([result for result in Result if result is not Result.SUCCESS])


SILENCES: Final = {Result.TIMEOUT, Result.PROTOCOL_ERROR, Result.SERVER_ERROR}


def answered(pid: int, jails: frozenset[str], at: float) -> ProbeEnded:
    """A probe of this process found these jails."""
    found = success(*(jail(name) for name in sorted(jails)), server=server(identity=f"pid:{pid}"))
    return ProbeEnded(found, at=at, timestamp=WALL + at)


def failed(result: Result, at: float) -> ProbeEnded:
    """A probe failed."""
    return ProbeEnded(failure(result), at=at, timestamp=WALL + at)


def ended(kind: ExitKind, pid: int, age: float, at: float, answered_at: float = -math.inf) -> ServerExited:
    """The end of this process became clear, as long after it as its age; when it answered it had not ended yet."""
    before = max(at - age, answered_at)
    return ServerExited(ServerExit(kind, f"pid:{pid}", max(before - 0.5, answered_at), before), at, WALL + at)


def after(events: Sequence[Event], health: Health) -> Health:
    """What is known after these events."""
    for event in events:
        health = reduce(health, event)
    return health


def failures(health: Health) -> dict[str, int]:
    """The outages that are blamed on each jail."""
    return {name: kept.failures for name, kept in sorted(health.recovery.remembered.items())}


def totals(health: Health) -> tuple[object, ...]:
    """What a scrape shows of it, whoever told first."""
    recovery = health.recovery
    return failures(health), recovery.pending(), recovery.recoveries, sum(recovery.told.values()), health.exits


def kept(health: Health) -> tuple[object, ...]:
    """What a restart of the exporter must not change."""
    return health.recovery, health.exits, health.restarts, health.server_identity


def restarted(health: Health, at: float) -> Health:
    """What an exporter knows that was started anew, from the state file of the one before."""
    return decode(encode(health, at, WALL + at), INITIAL, at, WALL + at)


class BlameMachine(RuleBasedStateMachine):
    """Feeds the reducer with anything that can happen: a process that ended answers no more, and ends once."""

    limit = MAX_REMEMBERED
    forgets = False

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0
        self.health = INITIAL
        self.moments: list[tuple[float, tuple[Event, ...]]] = []
        self.pid = 1
        """Of the process that answered last."""
        self.pids = 1
        """How many processes there were."""
        self.unsettled = {1: self.at}
        """Those that have answered and whose end was not told, with when they answered last."""
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("exporter.health.verdicts.MAX_REMEMBERED", self.limit)

    def teardown(self) -> None:
        self.patch.undo()

    def tell(self, *events: Event) -> None:
        """Let it happen, at the same time, and hold what changed against what may change."""
        before, self.health = self.health, reduce_all(self.health, events)
        self.moments.append((self.at, events))
        self.check(before, events)

    def check(self, before: Health, events: Sequence[Event]) -> None:
        """Compare two states with one moment between them."""
        old, new = before.recovery, self.health.recovery
        assert new.recoveries >= old.recoveries
        assert all(new.told[source] >= old.told[source] for source in old.told)
        if self.forgets:
            return
        more = {name: number - failures(before).get(name, 0) for name, number in failures(self.health).items()}
        assert min(more.values(), default=0) >= 0
        assert old.remembered.keys() <= new.remembered.keys()
        is_over = bool(old.pending()) and not new.pending()
        if not any(more.values()):
            assert new.recoveries - old.recoveries == is_over
        else:
            for_the_present = len(set(new.pending()) - set(old.pending()))
            assert new.recoveries - old.recoveries <= sum(more.values()) - for_the_present + is_over
        if is_over:
            assert any(isinstance(event, ProbeEnded) for event in events)
            assert self.health.state is State.ONLINE

    @initialize(enabled=st.none() | SETS, jails=SETS, settled=st.booleans())
    def begin(self, enabled: frozenset[str] | None, jails: frozenset[str], *, settled: bool) -> None:
        """Begin with a server that is past its start, or not."""
        if enabled is not None:
            self.tell(ConfigurationRead(enabled, since=-float("inf"), at=self.at, timestamp=WALL + self.at))
        self.tell(answered(1, jails, self.at))
        if settled:
            self.at += 20
            self.tell(answered(1, jails, self.at))
            self.unsettled[1] = self.at

    @rule(seconds=STEPS)
    def wait(self, seconds: float) -> None:
        self.at += seconds
        if seconds > 1:
            # How one ended that was replaced is clear after a second, or never.
            self.unsettled = {pid: at for pid, at in self.unsettled.items() if pid == self.pid}

    def successor(self) -> int:
        """The number of another process."""
        self.pids += 1
        return self.pids

    def answer(self, jails: frozenset[str], *, new: bool) -> ProbeEnded:
        """The answer of the process that answered last, or of another one if that has ended."""
        if new or self.pid not in self.unsettled:
            self.pid = self.successor()
            self.at += 0.001  # the one before had ended by then
        self.unsettled[self.pid] = self.at
        return answered(self.pid, jails, self.at)

    @rule(jails=SETS, new=st.booleans())
    def answers(self, jails: frozenset[str], *, new: bool) -> None:
        self.tell(self.answer(jails, new=new))

    @rule(result=FAILURES)
    def fails(self, result: Result) -> None:
        self.tell(failed(result, self.at))

    @precondition(lambda self: self.unsettled)
    @rule(kind=EXIT_KINDS, age=AGES, data=st.data())
    def ends(self, kind: ExitKind, age: float, data: st.DataObject) -> None:
        """It becomes clear how one of the processes ended that have answered."""
        pid = data.draw(st.sampled_from(sorted(self.unsettled)), "process")
        answered_at = self.unsettled.pop(pid)
        self.tell(ended(kind, pid, age, self.at, answered_at))

    @rule(kind=EXIT_KINDS)
    def a_start_fails(self, kind: ExitKind) -> None:
        """It becomes clear how a process ended that never answered."""
        self.tell(ended(kind, self.successor(), 0.0, self.at))

    @rule(enabled=SETS, age=AGES)
    def is_edited(self, enabled: frozenset[str], age: float) -> None:
        self.tell(ConfigurationRead(enabled, since=self.at - age, at=self.at, timestamp=WALL + self.at))

    @rule(name=JAIL, age=AGES)
    def is_reported(self, name: str, age: float) -> None:
        self.tell(ActivationReported(name, happened=self.at - age, at=self.at, timestamp=WALL + self.at - age))

    @rule()
    def time_passes(self) -> None:
        self.tell(TimePassed(self.at, WALL + self.at))

    @rule()
    def exporter_restarts(self) -> None:
        """Go on from the state file; the state of the server is unknown until the next probe."""
        before, self.health = self.health, restarted(self.health, self.at)
        assert kept(before) == kept(self.health)

    @precondition(lambda self: bool(self.moments) and not self.forgets)
    @rule()
    def the_same_is_told_again(self) -> None:
        """The same telling at the same moment counts once; how often a probe failed and a process ended aside."""
        once, twice = self.health, reduce_all(self.health, self.moments[-1][1])
        assert totals(once)[:4] == totals(twice)[:4]

    # Whom a start that failed would have loaded is a matter of what was known by then.
    @precondition(lambda self: self.health.recovery.outage is None or not self.health.recovery.outage.starts_failed)
    @rule(data=st.data())
    def several_things_happen_at_once(self, data: st.DataObject) -> None:
        """In which order they are told makes no difference."""
        if data.draw(st.booleans(), "answers"):
            probe = self.answer(data.draw(SETS, "jails"), new=data.draw(st.booleans(), "another one"))
            may_end = self.unsettled.keys() - {self.pid}
        else:
            probe = failed(data.draw(FAILURES, "fails"), self.at)
            # One that leaves a probe waiting has not ended.
            may_end = set() if probe.probe.result in SILENCES else set(self.unsettled)
        kinds = data.draw(st.dictionaries(st.sampled_from(sorted(may_end) or [0]), EXIT_KINDS, max_size=2), "ends")
        at, deadline = self.at, self.health.recovery.deadline()
        if deadline is not None and deadline <= at:
            may_end = set()  # an end grants a grace of its own, unless what is due is told first
        kinds = {pid: kind for pid, kind in kinds.items() if pid in may_end}
        answered_at = {pid: self.unsettled.pop(pid) for pid in kinds}
        exits: list[Event] = [ended(kind, pid, 0.0001, at, answered_at[pid]) for pid, kind in kinds.items()]
        told = data.draw(st.lists(JAIL, unique=True, max_size=2), "reports")
        reports: list[Event] = [ActivationReported(name, happened=at, at=at, timestamp=WALL + at) for name in told]
        edits: list[Event] = []
        configured = self.health.recovery.configured
        if configured is not None and data.draw(st.booleans(), "edit"):
            edits = [ConfigurationRead(configured | data.draw(SETS), since=at - 1, at=at, timestamp=WALL + at)]
        events = [probe, *exits, *reports, *edits][:5]
        together = reduce_all(self.health, events)
        assert all(together == reduce_all(self.health, order) for order in permutations(events))
        if not self.forgets:
            # How a process ended may become clear a moment before a probe shows it, or after.
            alone = totals(after([probe, *exits], self.health))
            assert all(alone == totals(after(order, self.health)) for order in permutations([probe, *exits]))
        self.tell(*events)

    @precondition(lambda self: len(self.moments) > 1)
    @rule(data=st.data())
    def any_prefix_is_replayed(self, data: st.DataObject) -> None:
        """A restart after any of the moments so far would have changed nothing."""
        number = data.draw(st.integers(min_value=1, max_value=len(self.moments)), "prefix")
        health = INITIAL
        for index, (at, events) in enumerate(self.moments, start=1):
            health = reduce_all(health, events)
            if index == number:
                health = restarted(health, at)
        assert kept(self.health) == kept(health)

    @invariant()
    def a_flag_is_for_an_outage_that_is_not_over(self) -> None:
        recovery = self.health.recovery
        if not recovery.pending():
            return
        assert recovery.outage is not None
        assert recovery.outage.counts
        assert set(recovery.pending()) <= recovery.outage.blamed
        if self.moments and any(isinstance(event, ProbeEnded) for event in self.moments[-1][1]):
            # Where an exit is told before a probe has found it, that probe follows at once.
            assert self.health.state is not State.ONLINE

    @invariant()
    def whoever_is_blamed_has_a_flag(self) -> None:
        outage = self.health.recovery.outage
        assert outage is None or set(self.health.recovery.pending()) == outage.blamed

    @invariant()
    def memory_is_bounded(self) -> None:
        recovery = self.health.recovery
        assert len(recovery.remembered) <= max(self.limit, len(recovery.pending()))
        assert recovery.activations.keys() <= recovery.remembered.keys()
        assert recovery.awaited <= recovery.remembered.keys()
        assert len(recovery.past) <= 50

    @invariant()
    def what_is_known_can_be_written_down(self) -> None:
        shown: Any = replace(self.health.recovery, policy=Policy(1, 1))
        assert "inf" not in repr(shown)


class ForgetfulBlameMachine(BlameMachine):
    """The same with room for two jails, so that the oldest leave all the time."""

    limit = 2
    forgets = True


TestBlame = BlameMachine.TestCase
TestBlame.settings = settings(examples(300), stateful_step_count=40)
TestForgetfulBlame = ForgetfulBlameMachine.TestCase
TestForgetfulBlame.settings = settings(examples(100), stateful_step_count=40)
