"""Bans that count once: one counted twice is a false alarm after each restart, one not counted an attack unseen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.health import BansRecounted, Health, Policy, ProbeEnded, Question, Recount, reduce
from exporter.health.bans import BASELINE_SECONDS, MAX_ABSENT
from exporter.model import Jail, Probe
from tests.recount.model import Model
from tests.recount.sequences import increase
from tests.snapshots import failure, jail, server, success

PATIENCE = 45.0
STARTED = 1_000_000.0
NOW = 2_000_000.0


class Guard:
    """A health, and what happens to it; monotonic seconds are those since the beginning."""

    def __init__(self) -> None:
        self.health = Health.initial(10, Policy(patience=PATIENCE))
        self.at = 0.0

    def probe(self, *jails: Jail, process: str = "pid:1:1", after: float = 30.0, count: int | None = None) -> None:
        """Probe that long after the last time."""
        found = success(*jails, server=server(identity=process, start_time=STARTED))
        self.end(found if count is None else replace(found, jail_count=count), after)

    def end(self, probe: Probe, after: float = 30.0) -> None:
        """End a probe."""
        self.at += after
        self.health = reduce(self.health, ProbeEnded(probe, self.at, NOW + self.at))

    def asked(self) -> list[tuple[str, float, int | None]]:
        """What is asked: of which jail, up to when bans are old, how many they can be."""
        return [(each.jail, each.until, each.most) for each in self.health.bans.questions()]

    def answer(self, restored: int, total: int = 0, *, question: Question | None = None) -> None:
        """Answer the only question, or this one."""
        if question is None:
            [question] = self.health.bans.questions()
        recount = Recount(question.jail, question.server, question.run, restored, total)
        self.health = reduce(self.health, BansRecounted(recount, self.at, NOW + self.at))

    def shown(self, name: str = "sshd") -> int | None:
        """What is shown of a jail."""
        return self.health.bans.of(name)


def sshd(bans: int, banned: int | None = None, failures: int = 0, name: str = "sshd") -> Jail:
    return jail(name, bans=bans, banned=bans if banned is None else banned, failures=failures)


@pytest.fixture
def guard() -> Guard:
    """One that knows a jail with three bans, none of them restored, which was last seen at `NOW + 60`."""
    guard = Guard()
    guard.probe(sshd(0))
    guard.answer(0)
    guard.probe(sshd(3))
    assert guard.shown() == 3
    return guard


def test_bans_restored_by_another_process_are_not_counted_again(guard: Guard) -> None:
    guard.probe(sshd(0), process="pid:2:2")
    assert guard.shown() is None
    assert guard.asked() == [("sshd", NOW + 60, 3)]

    guard.answer(3, total=3)
    guard.probe(sshd(3), process="pid:2:2")
    assert guard.shown() == 0

    guard.probe(sshd(4), process="pid:2:2")
    assert guard.shown() == 1


@pytest.mark.parametrize(
    ("after", "why"),
    [
        pytest.param(sshd(1), "fewer bans", id="fewer bans"),
        pytest.param(sshd(3, failures=1), "fewer failures", id="as many bans and fewer failures"),
    ],
)
def test_a_jail_that_was_started_anew_within_the_process_is_asked_about(guard: Guard, after: Jail, why: str) -> None:
    guard.probe(sshd(3, failures=9))
    guard.probe(after)

    assert guard.shown() is None, why
    assert guard.asked() == [("sshd", NOW + 60, 3)]


def test_a_jail_that_was_gone_and_is_back_was_started_anew(guard: Guard) -> None:
    guard.probe()
    guard.probe(sshd(3))

    assert guard.asked() == [("sshd", NOW + 60, 3)]


def test_a_jail_that_is_not_told_of_may_run_all_the_same(guard: Guard) -> None:
    guard.probe(count=1)
    guard.probe(sshd(5))

    assert guard.asked() == []
    assert guard.shown() == 5


def test_a_probe_that_failed_says_nothing(guard: Guard) -> None:
    guard.end(failure())
    guard.probe(sshd(4))

    assert guard.shown() == 4


def test_where_nothing_was_banned_nothing_can_be_restored_and_nothing_is_asked(guard: Guard) -> None:
    guard.probe(sshd(3, banned=0))
    guard.probe(sshd(2), process="pid:2:2")

    assert guard.asked() == []
    assert guard.shown() == 2


def test_the_moment_is_that_at_which_the_last_ban_was_counted_and_the_most_is_what_was_left_of_them(
    guard: Guard,
) -> None:
    for banned in (3, 2, 1):
        guard.probe(sshd(3, banned=banned))
    guard.probe(sshd(0), process="pid:2:2")

    assert guard.asked() == [("sshd", NOW + 60, 1)]


def test_the_moment_is_to_a_second_since_fail2ban_rounds_what_it_writes_down(guard: Guard) -> None:
    guard.probe(sshd(4), after=30.5)
    guard.probe(sshd(0), process="pid:2:2")

    assert guard.asked() == [("sshd", NOW + 91, 4)]


def test_until_the_answer_holds_for_what_a_probe_counts_nothing_is_shown(guard: Guard) -> None:
    guard.probe(sshd(0), process="pid:2:2")
    guard.answer(3, total=3)
    guard.probe(sshd(2), process="pid:2:2")
    assert guard.shown() is None

    guard.probe(sshd(3), process="pid:2:2")
    assert guard.shown() == 0


def test_an_answer_about_another_run_of_the_jail_says_nothing(guard: Guard) -> None:
    guard.probe(sshd(0), process="pid:2:2")
    [of_second] = guard.health.bans.questions()
    guard.probe(sshd(0), process="pid:3:3")
    guard.answer(0, question=of_second)
    guard.answer(0, question=replace(of_second, jail="another"))
    [of_third] = guard.health.bans.questions()
    guard.answer(0, question=replace(of_third, server="pid:2:2"))
    guard.probe(sshd(3), process="pid:3:3")
    assert guard.shown() is None

    guard.answer(3)
    guard.answer(1, question=of_third)
    guard.probe(sshd(3), process="pid:3:3")
    assert guard.shown() == 0


def test_a_second_restart_before_the_answer_asks_by_what_was_shown_last(guard: Guard) -> None:
    guard.probe(sshd(5), process="pid:2:2")
    guard.probe(sshd(1), process="pid:3:3")

    assert guard.asked() == [("sshd", NOW + 60, 3)]


@pytest.mark.parametrize(
    ("new", "shown"),
    [
        pytest.param(0, [0, 0, 0], id="none: lower anyhow"),
        pytest.param(2, [2, 2, 2], id="fewer: lower anyhow"),
        pytest.param(3, [0, 0, 3], id="as many"),
        pytest.param(5, [0, 0, 5], id="more"),
    ],
)
def test_a_count_that_began_anew_is_below_what_was_shown_before_until_every_scrape_has_seen_it(
    guard: Guard, new: int, shown: list[int]
) -> None:
    guard.probe(sshd(3 + new), process="pid:2:2")
    guard.answer(3, total=3)
    seen = []
    for _ in range(3):
        guard.probe(sshd(3 + new), process="pid:2:2", after=29)
        seen.append(guard.shown())

    assert shown == seen
    assert increase([3, *seen]) == new


def test_what_was_held_back_when_the_jail_started_anew_again_is_looked_for_again(guard: Guard) -> None:
    guard.probe(sshd(7, banned=7), process="pid:2:2")
    guard.answer(3, total=7)
    guard.probe(sshd(7, banned=7), process="pid:2:2")
    assert guard.shown() == 0

    guard.probe(sshd(7), process="pid:3:3")
    assert guard.asked() == [("sshd", NOW + 60, 3)]


def test_a_jail_that_never_ran_begins_at_0_or_its_first_bans_would_not_show(guard: Guard) -> None:
    guard.probe(sshd(3), sshd(2, name="new"))
    assert guard.shown("new") == 0
    assert guard.asked() == []

    guard.probe(sshd(3), sshd(2, name="new"))
    guard.probe(sshd(3), sshd(2, name="new"))
    assert guard.shown("new") == 2


def test_of_a_server_that_is_seen_for_the_first_time_what_is_dated_before_its_start_is_asked_for() -> None:
    guard = Guard()
    guard.probe(sshd(9, banned=4))

    assert guard.shown() is None
    [question] = guard.health.bans.questions()
    assert (question.until, question.most, question.is_settled) == (STARTED, None, True)
    assert question.restored(listed=2, gone=5) == 2

    guard.answer(2, total=9)
    guard.probe(sshd(9, banned=4))
    assert guard.shown() == 7


def test_a_jail_that_comes_up_right_after_the_first_look_ran_before_that_look() -> None:
    guard = Guard()
    guard.probe()
    guard.probe(sshd(9), after=BASELINE_SECONDS)

    assert guard.asked() == [("sshd", STARTED, None)]


def test_one_that_was_never_shown_stays_one_from_before_the_first_look_whoever_restarts() -> None:
    guard = Guard()
    guard.probe(sshd(9))
    guard.probe(sshd(9), process="pid:2:2")

    assert guard.asked() == [("sshd", STARTED, None)]


def test_a_server_of_which_no_start_can_be_seen_is_believed() -> None:
    guard = Guard()
    guard.end(success(sshd(9), server=server(start_time=None)))

    assert guard.asked() == []
    assert guard.shown() == 9


def test_a_server_that_has_only_just_started_may_still_be_restoring() -> None:
    guard = Guard()
    guard.end(success(sshd(9), server=server(start_time=NOW + 25)))

    assert [question.is_settled for question in guard.health.bans.questions()] == [False]


def test_another_server_is_no_restart_of_the_former(guard: Guard) -> None:
    guard.health = guard.health.of_another_server()
    guard.probe(sshd(5))

    assert guard.asked() == [("sshd", STARTED, None)]


def test_jails_that_do_not_run_are_remembered_but_not_without_end(guard: Guard) -> None:
    for number in range(3):
        guard.probe(*(sshd(1, name=f"{number}-{each}") for each in range(MAX_ABSENT // 2)))

    names = list(guard.health.bans.jails)
    assert len(names) == MAX_ABSENT + MAX_ABSENT // 2
    assert "sshd" not in names


def test_no_more_is_taken_for_restored_than_was_banned() -> None:
    question = Question("sshd", "pid:1:1", 1, NOW, most=3)

    assert [question.restored(listed, gone) for listed, gone in [(0, 0), (1, 1), (3, 0), (2, 9), (9, 0)]] == [
        0,
        2,
        3,
        3,
        3,
    ]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ban"), st.sampled_from([2, 5, 60, 3600]), st.sampled_from([0.0, 0.25, 1.0, 2.5])),
        st.tuples(st.just("pass"), st.sampled_from([0.25, 1.0, 2.25, 7.0])),
        st.tuples(st.just("probe")),
        st.tuples(st.just("unban")),
        st.tuples(st.just("restart"), st.booleans(), st.sampled_from([0.25, 1.0, 6.0])),
        st.tuples(st.just("exporter")),
    ),
    max_size=25,
)


def played(steps: list[tuple[object, ...]]) -> Model:
    """A model after these steps, probed until all that it holds back is shown."""
    model = Model()
    model.probe()
    for step in steps:
        match step:
            case ("ban", int() as seconds, float() as lag):
                model.ban(seconds, lag)
            case ("pass", float() as seconds):
                model.pass_time(seconds)
            case ("probe",):
                model.probe()
            case ("unban",):
                model.unban()
            case ("restart", bool() as process, float() as seconds):
                model.restart(process=process, seconds=seconds)
            case ("exporter",):
                model.exporter_restarts()
    for _ in range(3):
        model.probe()
        model.pass_time(1.0)
    return model


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_whatever_happens_no_ban_counts_twice_and_no_more_are_missed_than_is_said(
    steps: list[tuple[object, ...]],
) -> None:
    model = played(steps)

    assert model.bans - model.lost - model.slack <= increase(model.shown) <= model.bans
