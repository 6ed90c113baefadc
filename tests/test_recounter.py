"""Restored bans are looked for beside the prober: whatever goes wrong there, the probing goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
import structlog

from exporter.fail2ban import JailLook, ProbeError
from exporter.fail2ban.failures import ProbeTimeoutError
from exporter.health import Question, Recount
from exporter.recounter import Recounter
from tests.waiting import DEADLINE, wait_until

SSHD = Question("sshd", "pid:1:1", 1, until=0.0, most=1)
WEB = replace(SSHD, jail="web", run=2)


class Fail2ban:
    """Has a total for each jail and lists no bans: as soon as one is counted, it is taken for a restored one."""

    def __init__(self) -> None:
        self.identity = "pid:1:1"
        self.totals = {"sshd": 1, "web": 1}
        self.error: Exception | None = None
        self.replaced_by = ""
        self.connections = 0
        self.looks: list[list[str]] = []
        self.open = 0

    @contextmanager
    def connect(self) -> Iterator[Fail2ban]:
        """Open a conversation."""
        if isinstance(self.error, ProbeError):
            raise self.error
        self.identity = self.replaced_by or self.identity
        self.connections += 1
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def look(self, jails: Sequence[str]) -> Mapping[str, JailLook]:
        """Look at jails."""
        self.looks.append(list(jails))
        if self.error is not None:
            raise self.error
        return {jail: JailLook(self.totals[jail], ()) for jail in jails if jail in self.totals}


@pytest.fixture
def fail2ban() -> Fail2ban:
    return Fail2ban()


@pytest.fixture
def told() -> list[Recount]:
    return []


@pytest.fixture
def recounter(fail2ban: Fail2ban, told: list[Recount]) -> Iterator[Recounter]:
    recounter = Recounter(fail2ban.connect, told.append)
    yield recounter
    recounter.stop(DEADLINE)
    assert fail2ban.open == 0


def _has(told: list[Recount], *jails: str) -> Callable[[], bool]:
    return lambda: [recount.jail for recount in told] == list(jails)


def test_without_a_question_there_is_no_thread_and_no_connection(recounter: Recounter, fail2ban: Fail2ban) -> None:
    recounter.ask(())

    assert "recounter" not in {thread.name for thread in threading.enumerate()}
    assert fail2ban.connections == 0


def test_questions_are_answered_over_one_connection_which_is_closed(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    recounter.ask((SSHD, WEB))

    wait_until(_has(told, "sshd", "web"), "both are answered")
    wait_until(lambda: fail2ban.open == 0, "it is closed")
    assert told[0] == Recount("sshd", "pid:1:1", 1, restored=1, total=1)
    assert (fail2ban.connections, fail2ban.looks) == (1, [["sshd", "web"]])


def test_it_looks_again_until_all_are_answered_and_only_at_what_is_not(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    fail2ban.totals["web"] = 0
    recounter.ask((SSHD, WEB))
    wait_until(lambda: len(fail2ban.looks) > 1, "it looks again")
    fail2ban.totals["web"] = 1

    wait_until(_has(told, "sshd", "web"), "both are answered")
    assert fail2ban.looks[:2] == [["sshd", "web"], ["web"]]


def test_what_is_asked_meanwhile_is_answered_too_and_what_is_not_asked_any_more_is_not(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    fail2ban.totals = {"sshd": 0, "web": 1}
    recounter.ask((SSHD,))
    wait_until(lambda: bool(fail2ban.looks), "it looks")
    recounter.ask((WEB,))

    wait_until(_has(told, "web"), "the other one is answered")


def test_an_answer_is_given_once_however_often_the_question_is_put_until_it_is_heard(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    recounter.ask((SSHD,))
    wait_until(_has(told, "sshd"), "it is answered")
    recounter.ask((SSHD,))
    recounter.ask((SSHD, WEB))

    wait_until(_has(told, "sshd", "web"), "the other one is answered")
    assert fail2ban.looks == [["sshd"], ["web"]]


def test_a_question_about_another_process_is_not_put_to_this_one(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    recounter.ask((replace(SSHD, server="pid:9:9"),))
    wait_until(lambda: fail2ban.connections == 1, "it connects")
    recounter.ask((SSHD,))

    wait_until(_has(told, "sshd"), "the right one is answered")
    assert fail2ban.looks == [["sshd"]]


def test_questions_about_the_process_that_takes_its_place_are_put_to_that_at_once(
    recounter: Recounter, fail2ban: Fail2ban, told: list[Recount]
) -> None:
    fail2ban.totals = {"sshd": 0, "web": 1}
    recounter.ask((SSHD,))
    wait_until(lambda: bool(fail2ban.looks), "it looks")
    fail2ban.replaced_by = "pid:9:9"
    recounter.ask((replace(WEB, server="pid:9:9"),))

    wait_until(_has(told, "web"), "it is answered")
    assert fail2ban.connections == 2


def test_a_jail_that_does_not_run_is_not_waited_for(recounter: Recounter, fail2ban: Fail2ban) -> None:
    del fail2ban.totals["web"]
    recounter.ask((WEB,))

    wait_until(lambda: len(fail2ban.looks) == 1 and fail2ban.open == 0, "it gives up")


@pytest.mark.parametrize("error", [ProbeTimeoutError("it hangs"), KeyError("a fault of ours")], ids=["theirs", "ours"])
def test_what_goes_wrong_is_said_once_and_asked_again_by_the_next_probe(
    fail2ban: Fail2ban, told: list[Recount], error: Exception
) -> None:
    fail2ban.error = error
    with structlog.testing.capture_logs() as lines:
        recounter = Recounter(fail2ban.connect, told.append)
        recounter.answer((SSHD,))
        recounter.answer((SSHD,))
        fail2ban.error = None
        recounter.answer((SSHD,))

    assert [line["event"] for line in lines] == ["bans_not_recounted", "bans_recounted_again"]
    assert [recount.jail for recount in told] == ["sshd"]


def test_asked_to_end_it_ends_in_the_middle_of_waiting(recounter: Recounter, fail2ban: Fail2ban) -> None:
    fail2ban.totals["sshd"] = 0
    recounter.ask((SSHD,))
    wait_until(lambda: bool(fail2ban.looks), "it looks")

    recounter.stop(DEADLINE)

    assert fail2ban.open == 0
