"""Whatever is watched beside the prober takes its turns in time, at once when woken, and ends when asked to."""

import threading

from exporter.rounds import Rounds
from tests.waiting import DEADLINE, wait_until


class Turns:
    """Turns that are counted, each of which asks for the next in so many seconds."""

    def __init__(self, pause: float | None) -> None:
        self.pause = pause
        self.taken = 0
        self.rounds = Rounds("test", self.take)

    def take(self) -> float | None:
        """Count."""
        self.taken += 1
        return self.pause


def test_turns_follow_one_another_as_each_has_said() -> None:
    turns = Turns(0.001)
    turns.rounds.start()

    wait_until(lambda: turns.taken > 3, "some turns are taken")
    turns.rounds.stop(DEADLINE)


def test_one_that_waits_to_be_woken_is_woken_and_started_once() -> None:
    turns = Turns(None)
    turns.rounds.start()
    turns.rounds.start()
    wait_until(lambda: turns.taken == 1, "the first turn is taken")

    turns.rounds.wake()

    wait_until(lambda: turns.taken == 2, "another one is taken")
    turns.rounds.stop(DEADLINE)


def test_one_that_is_woken_in_the_middle_of_a_turn_takes_another() -> None:
    begun, go_on = threading.Event(), threading.Event()
    taken: list[int] = []

    def turn() -> None:
        taken.append(1)
        begun.set()
        go_on.wait(DEADLINE)

    rounds = Rounds("test", turn)
    rounds.start()
    assert begun.wait(DEADLINE)
    rounds.wake()
    go_on.set()

    wait_until(lambda: len(taken) == 2, "another turn is taken")
    rounds.stop(DEADLINE)


def test_stopped_it_takes_no_further_turn_and_its_thread_is_gone() -> None:
    before = threading.active_count()
    turns = Turns(60.0)
    turns.rounds.start()
    wait_until(lambda: turns.taken == 1, "the first turn is taken")

    turns.rounds.stop(DEADLINE)

    assert (turns.taken, threading.active_count()) == (1, before)


def test_one_that_was_never_started_can_be_stopped() -> None:
    Turns(None).rounds.stop(DEADLINE)
