"""Hints that fail2ban ended: the first is followed at once, and a server that cries wolf is not probed in a loop."""

from __future__ import annotations

import pytest

from exporter.patience import Patience

NOW = 1000.0


def pauses(patience: Patience, number: int, interval: float = 30.0) -> list[float]:
    """How long, after each of so many false hints, no other is followed."""
    found = []
    for _ in range(number):
        patience.heed(NOW, interval)
        found.append(patience.until - NOW)
    return found


def test_from_the_start_it_listens() -> None:
    assert Patience().listens(0.0)


def test_the_first_hint_costs_nothing_and_each_false_one_doubles_the_pause_up_to_the_interval() -> None:
    assert pauses(Patience(), 9) == [0, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("interval", [0.0, 0.25, 1.0])
def test_with_a_short_interval_the_pause_is_a_second_and_never_none(interval: float) -> None:
    assert pauses(Patience(), 4, interval) == [0, 1, 1, 1]


def test_after_any_number_of_false_hints_it_is_still_the_interval() -> None:
    assert pauses(Patience(), 5000, 86_400.0)[-1] == 86_400


def test_it_listens_again_when_the_pause_is_over_and_not_a_moment_before() -> None:
    patience = Patience()
    pauses(patience, 3)

    assert not patience.listens(NOW + 1.999)
    assert patience.listens(NOW + 2)


def test_news_makes_the_next_hint_welcome_and_the_absence_of_news_does_not() -> None:
    patience = Patience()
    pauses(patience, 5)

    patience.learn(changed=False)
    assert not patience.listens(NOW)

    patience.learn(changed=True)
    assert patience.listens(NOW)
    assert pauses(patience, 2) == [0, 1]
