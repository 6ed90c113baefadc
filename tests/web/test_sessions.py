"""TLS handshakes under way: an attacker pushes out none but his own."""

from __future__ import annotations

import pytest

from exporter.web.sessions import Sessions


class Session:
    """A handshake; notes that it was dropped."""

    def __init__(self) -> None:
        self.is_dropped = False

    def drop(self) -> None:
        """Note it."""
        self.is_dropped = True


def admit(sessions: Sessions[Session], address: str, now: float = 0.0, *, is_proven: bool = False) -> Session:
    """Let a new one in."""
    session = Session()
    sessions.admit(session, address, now, now + 5, is_proven=is_proven)
    return session


def test_past_the_cap_the_longest_waiting_goes() -> None:
    sessions: Sessions[Session] = Sessions(3, 0.2)

    first, second, third, _ = (admit(sessions, f"10.0.0.{number}") for number in range(4))

    assert (True, False, False) == (first.is_dropped, second.is_dropped, third.is_dropped)
    assert 3 == len(sessions)


@pytest.mark.parametrize(
    ("honest", "attacker"),
    [
        ("10.0.0.1", ["10.0.0.2"] * 9),
        ("2001:db8:0:1::1", [f"2001:db8:0:2::{number}" for number in range(9)]),
        ("::ffff:10.0.0.1", ["::ffff:10.0.0.2"] * 9),
        ("fe80::1%eth0", ["fe80:0:0:1::1%eth0"] * 9),
        ("", ["10.0.0.2"] * 9),
    ],
)
def test_one_address_pushes_out_none_but_its_own(honest: str, attacker: list[str]) -> None:
    sessions: Sessions[Session] = Sessions(4, 0.2)
    waiting = admit(sessions, honest)

    for address in attacker:
        admit(sessions, address)

    assert not waiting.is_dropped
    assert 4 == len(sessions)


def test_those_who_have_greeted_twice_stay_as_long_as_half_have_not() -> None:
    sessions: Sessions[Session] = Sessions(4, 0.2)
    twice = [admit(sessions, "10.0.0.1", is_proven=True) for _ in range(2)]
    once = [admit(sessions, "10.0.0.1", now=0.1) for _ in range(2)]

    assert not sessions.has_room(0.25)  # of those who are to go nobody had his time yet
    assert sessions.has_room(0.35)
    twice += [admit(sessions, "10.0.0.1", now=0.35, is_proven=True)]
    assert [True, False] == [each.is_dropped for each in once]
    assert not any(each.is_dropped for each in twice)

    admit(sessions, "10.0.0.1", now=0.6)
    assert [True, False, False] == [each.is_dropped for each in twice]


def test_who_comes_later_finds_a_place_among_an_attacker_s() -> None:
    sessions: Sessions[Session] = Sessions(4, 0.2)
    honest = admit(sessions, "10.0.0.1")
    attackers = [admit(sessions, "10.0.0.2") for _ in range(3)]

    other = admit(sessions, "10.0.0.3")

    assert not honest.is_dropped
    assert attackers[0].is_dropped
    assert not other.is_dropped


def test_nobody_goes_who_had_no_time_to_answer() -> None:
    sessions: Sessions[Session] = Sessions(2, 0.2)
    admit(sessions, "10.0.0.1", now=1.0)
    assert sessions.has_room(1.0)
    admit(sessions, "10.0.0.1", now=1.1)

    assert not sessions.has_room(1.15)
    assert sessions.has_room(1.2)


def test_those_whose_deadline_has_passed_go() -> None:
    sessions: Sessions[Session] = Sessions(9, 0.2)
    first, second = (admit(sessions, "10.0.0.1", now=now) for now in (1.0, 2.0))

    sessions.drop_expired(6.0)

    assert (True, False) == (first.is_dropped, second.is_dropped)
    assert 1 == len(sessions)


def test_one_that_leaves_twice_is_counted_once() -> None:
    sessions: Sessions[Session] = Sessions(2, 0.2)
    gone = admit(sessions, "10.0.0.1")
    stays = admit(sessions, "10.0.0.1")

    sessions.remove(gone)
    sessions.remove(gone)
    admit(sessions, "10.0.0.2")

    assert not stays.is_dropped


def test_all_can_be_dropped() -> None:
    sessions: Sessions[Session] = Sessions(3, 0.2)
    first, second = (admit(sessions, "10.0.0.1") for _ in range(2))

    sessions.drop_oldest(len(sessions))

    assert (True, True) == (first.is_dropped, second.is_dropped)
    assert 0 == len(sessions)
