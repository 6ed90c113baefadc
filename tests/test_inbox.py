"""The inbox: what a request, a signal or a tool wants of the prober is neither lost nor done twice."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

import pytest

from exporter.inbox import MAX_REPORTS, Inbox, Report
from tests.waiting import DEADLINE


def report(jail: str = "sshd") -> Report:
    """A report of this jail."""
    return Report(jail, None, told_at=0.0, told_timestamp=0.0)


def is_readable(inbox: Inbox) -> bool:
    return bool(select.select([inbox], [], [], 0)[0])


PUT: dict[str, Callable[[Inbox], object]] = {
    "a wish for a probe": Inbox.want_probe,
    "somebody who waits for one": Inbox.ask_for_probe,
    "a report": lambda inbox: inbox.report(report()),
}


@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_whatever_is_put_in_wakes_the_prober_until_it_has_looked(put: Callable[[Inbox], object]) -> None:
    inbox = Inbox()
    assert not is_readable(inbox)

    put(inbox)
    put(inbox)
    assert is_readable(inbox)

    inbox.clear()
    assert not is_readable(inbox)
    inbox.clear()  # again does nothing, and waits for nothing


@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_what_comes_between_the_clearing_and_the_taking_is_not_slept_over(put: Callable[[Inbox], object]) -> None:
    inbox = Inbox()
    put(inbox)
    inbox.clear()
    put(inbox)
    inbox.take_reports(0.0)
    inbox.take_asking()

    assert is_readable(inbox)


def test_a_wish_for_a_probe_lasts_until_one_starts() -> None:
    inbox = Inbox()
    assert not inbox.wants_probe()

    inbox.want_probe()
    inbox.clear()
    inbox.take_reports(0.0)
    assert inbox.wants_probe()

    assert inbox.take_asking() == []
    assert not inbox.wants_probe()


def test_a_report_is_no_wish_for_a_probe() -> None:
    inbox = Inbox()
    inbox.report(report())

    assert not inbox.wants_probe()


def test_those_who_wait_are_taken_out_once_and_all_at_once() -> None:
    inbox = Inbox()
    waiting = [inbox.ask_for_probe() for _ in range(3)]

    assert inbox.wants_probe()
    assert waiting == inbox.take_asking()
    assert inbox.take_asking() == []


def test_who_has_given_up_is_not_answered_and_who_is_taken_out_can_not_give_up() -> None:
    """The prober sets the result of each: with one that was cancelled that would be its end."""
    inbox = Inbox()
    gone, waiting = inbox.ask_for_probe(), inbox.ask_for_probe()
    assert gone.cancel()

    assert inbox.take_asking() == [waiting]
    assert not waiting.cancel()


def test_reports_come_out_once_oldest_first() -> None:
    inbox = Inbox()
    for jail in ("a", "b", "c"):
        inbox.report(report(jail))

    assert [one.jail for one in inbox.take_reports(0.0)] == ["a", "b", "c"]
    assert inbox.take_reports(0.0) == []


def test_of_a_flood_of_reports_the_newest_are_kept() -> None:
    inbox = Inbox()
    for number in range(MAX_REPORTS + 5):
        inbox.report(report(str(number)))

    assert [one.jail for one in inbox.take_reports(0.0)] == [str(number) for number in range(5, MAX_REPORTS + 5)]


def test_from_many_threads_nothing_is_lost() -> None:
    inbox = Inbox()

    def put(thread: int) -> None:
        for number in range(100):
            inbox.report(report(f"{thread}-{number}"))
            inbox.ask_for_probe()

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    reports, asking = [], []
    while any(thread.is_alive() for thread in threads):
        reports += inbox.take_reports(0.0)
        asking += inbox.take_asking()
    for thread in threads:
        thread.join(DEADLINE)
    reports += inbox.take_reports(0.0)
    asking += inbox.take_asking()

    assert len({one.jail for one in reports}) == len(reports) == 400
    assert len(set(map(id, asking))) == len(asking) == 400
