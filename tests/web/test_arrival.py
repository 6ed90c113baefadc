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


def arrive(stack: ExitStack, forgotten: list[Arrival]) -> Arrival:
    door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(door.getsockname()))
    sock, _ = door.accept()
    return Arrival(stack.enter_context(sock), 5.0, None, forgotten.append)


def test_one_on_the_same_machine_is_no_time_away(sockets: ExitStack) -> None:
    away = [arrive(sockets, []).round_trip() for _ in range(5)]

    assert 0 < min(away) < 0.01


def test_one_that_is_dropped_is_forgotten_and_twice_does_no_harm(sockets: ExitStack) -> None:
    forgotten: list[Arrival] = []
    arrival = arrive(sockets, forgotten)
    assert arrival.address() == "127.0.0.1"

    arrival.drop()
    arrival.drop()

    assert {arrival} == set(forgotten)
    assert (-1, "") == (arrival.sock.fileno(), arrival.address())
