"""Whose handshake begins when: nobody's place is taken by those who do it in another way."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.web.arrival import Arrival
from exporter.web.handshakes import Handshakes
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.tls_stream import TlsStream

LIMITS = Limits(handshakes=100, hellos=100, unasked=3, hello_seconds=0.1)
SECURITY = Security(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


class Asked(TlsStream):
    """A session whose client has greeted twice."""

    @property
    def was_asked(self) -> bool:
        """It was."""
        return True


class Loop(asyncio.SelectorEventLoop):
    """An event loop with a clock that stands still by itself."""

    def __init__(self) -> None:
        self.now = 100.0
        super().__init__()

    def time(self) -> float:
        """The clock."""
        return self.now

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and run what is due then; not what is put off by that."""
        self.now += seconds
        self.call_soon(self.stop)
        self.run_forever()


class Hall:
    """Arrivals with a name each, and the order in which their handshakes began."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.loop = Loop()
        self.begun: list[str] = []
        self.handshakes = Handshakes(self.loop, limits, lambda arrival: self.begun.append(self._names[arrival]))
        self._names: dict[Arrival, str] = {}
        self._door = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._door]

    def admit(self, *names: str, stream: type[TlsStream] = TlsStream, address: str = "127.0.0.1") -> list[Arrival]:
        """Have some arrive whose greeting is there."""
        made = []
        for name in names:
            self._sockets.append(socket.create_connection(self._door.getsockname(), source_address=(address, 0)))
            ours, _ = self._door.accept()
            self._sockets.append(ours)
            arrival = Arrival(ours, self.loop.now + 5, stream(SECURITY), self.handshakes.remove)
            self._names[arrival] = name
            self.handshakes.add(arrival)
            made.append(arrival)
        return made

    def close(self) -> None:
        """End all of it."""
        self.loop.close()
        for each in self._sockets:
            each.close()


def is_closed(arrival: Arrival) -> bool:
    return arrival.sock.fileno() == -1


@pytest.fixture
def halls() -> Iterator[Callable[..., Hall]]:
    """Make a hall; closed with the test."""
    made: list[Hall] = []

    def hall(**limits: Any) -> Hall:
        made.append(Hall(replace(LIMITS, **limits)))
        return made[-1]

    yield hall
    for each in made:
        each.close()


def test_a_handshake_begins_at_once_while_there_is_room(halls: Callable[..., Hall]) -> None:
    hall = halls()

    hall.admit("a", "b")

    assert ["a", "b"] == hall.begun
    assert 2 == len(hall.handshakes)


def test_no_more_begin_in_a_turn_than_may_and_the_rest_in_the_next(halls: Callable[..., Hall]) -> None:
    hall = halls(hellos=2)

    hall.admit("a", "b", "c", "d", "e")
    assert ["a", "b"] == hall.begun
    hall.loop.advance()
    assert ["a", "b", "c", "d"] == hall.begun
    hall.loop.advance()

    assert ["a", "b", "c", "d", "e"] == hall.begun


def test_those_who_have_greeted_twice_and_those_who_have_not_take_turns(halls: Callable[..., Hall]) -> None:
    hall = halls(hellos=1)
    hall.admit("first")

    hall.admit("once 1", "once 2", "once 3", "once 4")
    hall.admit("twice 1", "twice 2", stream=Asked)
    for _ in range(6):
        hall.loop.advance()

    assert ["first", "twice 1", "once 1", "twice 2", "once 2", "once 3", "once 4"] == hall.begun


def test_without_room_they_wait_until_one_under_way_had_its_time(halls: Callable[..., Hall]) -> None:
    hall = halls(handshakes=1)
    first, second = hall.admit("a", "b")
    hall.loop.advance(0.05)
    assert ["a"] == hall.begun
    assert second in hall.handshakes

    hall.loop.advance(0.06)

    assert ["a", "b"] == hall.begun
    assert second not in hall.handshakes
    assert is_closed(first)


def test_one_that_has_gone_is_none_of_those_who_wait(halls: Callable[..., Hall]) -> None:
    hall = halls(hellos=1)
    _, gone, _ = hall.admit("a", "b", "c")

    gone.drop()
    hall.loop.advance()

    assert ["a", "c"] == hall.begun


def test_it_is_crowded_by_those_under_way_and_those_who_wait(halls: Callable[..., Hall]) -> None:
    hall = halls(hellos=1)
    arrivals = hall.admit("a", "b")
    assert not hall.handshakes.is_crowded()
    arrivals += hall.admit("c")
    assert hall.handshakes.is_crowded()

    hall.handshakes.remove(arrivals[0])
    assert not hall.handshakes.is_crowded()


def test_of_a_crowd_from_one_address_that_waits_the_first_is_the_next_to_go(halls: Callable[..., Hall]) -> None:
    hall = halls(handshakes=1, crowd=3)
    hall.admit("under way", address="127.0.0.2")
    hall.admit("honest", address="127.0.0.3")
    first, second, _ = hall.admit("a", "b", "c", address="127.0.0.2")
    assert first is hall.handshakes.next_of_crowd()

    hall.handshakes.remove(first)
    assert hall.handshakes.next_of_crowd() is None
    hall.admit("d", address="127.0.0.2")

    assert second is hall.handshakes.next_of_crowd()


def test_those_who_have_greeted_twice_are_no_crowd(halls: Callable[..., Hall]) -> None:
    hall = halls(handshakes=1, crowd=3)
    hall.admit("under way")

    hall.admit("a", "b", "c", "d", stream=Asked)
    hall.admit("e", "f")

    assert hall.handshakes.next_of_crowd() is None


def test_those_under_way_whose_deadline_has_passed_are_dropped(halls: Callable[..., Hall]) -> None:
    hall = halls()
    (under_way,) = hall.admit("a")

    hall.handshakes.drop_expired(hall.loop.now + 6)

    assert is_closed(under_way)
    assert 0 == len(hall.handshakes)


def test_all_end_with_it(halls: Callable[..., Hall]) -> None:
    hall = halls(handshakes=1)
    under_way, waits = hall.admit("a", "b")

    hall.handshakes.close()

    assert is_closed(under_way)
    assert waits not in hall.handshakes
