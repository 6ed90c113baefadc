"""What is known of a connection before its first request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.web.arrival import Arrival


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


def arrive(stack: ExitStack, arrivals: dict[int, Arrival]) -> Arrival:
    door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(door.getsockname()))
    sock, _ = door.accept()
    arrival = Arrival(stack.enter_context(sock), 5.0, None, arrivals)
    arrivals[sock.fileno()] = arrival
    return arrival


def test_one_on_the_same_machine_is_no_time_away(sockets: ExitStack) -> None:
    away = [arrive(sockets, {}).round_trip() for _ in range(5)]

    assert 0 < min(away) < 0.01


def test_one_that_was_dropped_is_gone_and_so_is_one_whose_descriptor_is_another_s(sockets: ExitStack) -> None:
    arrivals: dict[int, Arrival] = {}
    dropped, replaced = arrive(sockets, arrivals), arrive(sockets, arrivals)
    assert (False, False) == (dropped.is_gone(), replaced.is_gone())

    dropped.drop()
    arrivals[replaced.sock.fileno()] = Arrival(replaced.sock, 5.0, None, arrivals)

    assert (True, True) == (dropped.is_gone(), replaced.is_gone())
    assert [replaced.sock.fileno()] == list(arrivals)
    assert ("127.0.0.1", "") == (replaced.address(), dropped.address())
