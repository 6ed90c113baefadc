"""Restored bans trickle in: an answer too soon counts the late ones anew, one too late leaves a gap in every graph."""

from __future__ import annotations

from datetime import datetime

import pytest

from exporter.fail2ban import Ban, JailLook
from exporter.health import Question, Recount
from exporter.tally import FIRST_SECONDS, LONGEST_SECONDS, NEXT_SECONDS, Tally

NOW = 1_700_000_000.0
QUESTION = Question("sshd", "pid:2:2", 7, until=NOW, most=100)


def ban(number: int, start: float = NOW - 10) -> Ban:
    begins, ends = (str(datetime.fromtimestamp(at)) for at in (start, start + 600))  # noqa: DTZ006 - as fail2ban prints
    return Ban(f"192.0.2.{number}\t{begins}", begins, 600, ends)


def look(*bans: Ban, total: int | None = None) -> JailLook:
    return JailLook(len(bans) if total is None else total, bans)


def restored(*numbers: int) -> JailLook:
    return look(*map(ban, numbers))


class Watch:
    """A tally, looked after at moments that are seconds since its beginning."""

    def __init__(self, question: Question = QUESTION) -> None:
        self.tally = Tally(question, 0.0)

    def add(self, at: float, found: JailLook, shift: float | None = 0.0) -> Recount | None:
        """Add a look."""
        return self.tally.add(found, shift, at, NOW + at)

    def keep_looking(self, began: float, until: float, found: JailLook) -> Recount | None:
        """Add the same look again and again, twice a second, and at the end; the last answer."""
        looks = [began + 0.5 * number for number in range(1, 100) if began + 0.5 * number < until]
        return [self.add(at, found) for at in (*looks, until)][-1]


def test_as_soon_as_all_are_there_that_can_be_nothing_more_is_waited_for() -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most=2))

    assert watch.add(0.1, restored(1)) is None
    assert watch.add(0.2, restored(1, 2)) == Recount("sshd", "pid:2:2", 7, restored=2, total=2)


def test_one_that_was_over_before_it_could_be_listed_was_restored_too() -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most=3))

    assert watch.add(0.1, look(ban(1), total=3)) == Recount("sshd", "pid:2:2", 7, restored=3, total=3)


def test_one_that_ends_between_two_looks_is_not_forgotten() -> None:
    watch = Watch()
    watch.add(0.0, restored(1, 2))

    assert watch.add(0.5, look(ban(2), total=2)) is None
    assert watch.add(0.5 + NEXT_SECONDS, look(total=2)) == Recount("sshd", "pid:2:2", 7, restored=2, total=2)


def test_new_bans_are_no_restored_ones_and_are_not_waited_for() -> None:
    watch = Watch()
    watch.add(0.0, restored(1))

    answer = None
    for tenth in range(1, 11):
        new = [ban(number, NOW + 1) for number in range(2, 2 + tenth)]
        answer = watch.add(NEXT_SECONDS * tenth / 10, look(ban(1), *new))
    assert answer == Recount("sshd", "pid:2:2", 7, restored=1, total=11)


def test_the_first_may_take_longer_since_the_actions_are_started_before() -> None:
    watch = Watch()

    assert watch.keep_looking(0.0, FIRST_SECONDS - 0.1, restored()) is None
    assert watch.add(FIRST_SECONDS, restored()) == Recount("sshd", "pid:2:2", 7, restored=0, total=0)


def test_while_fail2ban_does_not_answer_it_restores_nothing_and_that_is_waited_for_all_the_same() -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most=1))
    watch.add(0.1, restored())

    # It was reloading all the while: the jail has been started anew, and its first bans are new ones.
    new = ban(2, NOW + 1), ban(3, NOW + 1)
    assert watch.add(0.1 + 2 * FIRST_SECONDS, look(*new)) is None
    answer = watch.add(0.3 + 2 * FIRST_SECONDS, look(*new, ban(1)))
    assert answer == Recount("sshd", "pid:2:2", 7, restored=1, total=3)


def test_slow_actions_are_waited_for_three_times_as_long_as_each_takes() -> None:
    watch = Watch()
    for number in range(5):
        assert watch.add(2.0 * number, restored(*range(number + 1))) is None

    assert watch.keep_looking(8.0, 8.0 + 5.9, restored(*range(5))) is None
    answer = watch.add(8.0 + 6.0, restored(*range(5)))
    assert answer is not None
    assert answer.restored == 5


def test_but_not_for_ever() -> None:
    watch = Watch()
    answers = [watch.add(float(second), restored(*range(second // 50 + 1))) for second in range(0, 301, 50)]

    assert [answer is not None for answer in answers] == [False] * 6 + [True]
    assert LONGEST_SECONDS == 300


def test_a_jail_that_is_started_anew_meanwhile_is_looked_at_anew() -> None:
    watch = Watch()
    watch.add(0.0, restored(1, 2, 3))
    watch.add(0.5, restored())

    assert watch.add(0.5 + NEXT_SECONDS, restored(1)) is None
    assert watch.add(1.5 + NEXT_SECONDS, restored(1)) == Recount("sshd", "pid:2:2", 7, restored=1, total=1)


def test_a_jail_that_has_run_for_long_is_looked_at_once() -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most=None, is_settled=True))

    found = look(ban(1), ban(2, NOW + 1), total=9)
    assert watch.add(0.0, found) == Recount("sshd", "pid:2:2", 7, restored=1, total=9)


@pytest.mark.parametrize(
    ("most", "total", "number"),
    [
        pytest.param(3, 5, 3, id="all that can have been"),
        pytest.param(3, 2, 2, id="no more than were counted"),
        pytest.param(None, 5, 0, id="none where nothing is known"),
    ],
)
@pytest.mark.parametrize("shift", [0.0, None])
def test_where_times_are_not_listed_or_not_understood_all_that_may_be_is_taken_for_restored(
    most: int | None, total: int, number: int, shift: float | None
) -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most))
    found = JailLook(total, None if shift is not None else (ban(1),))

    assert watch.add(0.0, found, shift) == Recount("sshd", "pid:2:2", 7, number, total)


def test_a_server_in_another_zone_is_read_by_its_own() -> None:
    watch = Watch(Question("sshd", "pid:2:2", 7, NOW, most=1))

    assert watch.add(0.0, look(ban(1, NOW + 3590)), -3600.0) == Recount("sshd", "pid:2:2", 7, 1, 1)
