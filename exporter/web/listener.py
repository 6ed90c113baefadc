"""Accepting connections from one listening socket."""

from __future__ import annotations

import asyncio
import select
import socket
from typing import Protocol

_RETRY_SECONDS = 0.05
_FULL_SECONDS = 0.01


class Door(Protocol):
    """What is behind a listener."""

    def has_place(self) -> bool:
        """Tell whether one more may be accepted; asked before each, and where there is none, again shortly."""

    def admit(self, sock: socket.socket) -> None:
        """Take over an accepted socket, which is non-blocking."""

    def make_room(self) -> None:
        """Free descriptors: the process, or the system, has none or no memory for another connection."""


class Listener:
    """Accepts connections until it is closed.

    The event loop's own server is no help where descriptors run out: it logs every failed attempt and stops accepting
    for a second. This one asks for room to be made and tries again shortly.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, turn: int, door: Door) -> None:
        """Start to accept.

        Args:
            loop: The running event loop.
            sock: A listening socket; closed with the listener.
            turn: Connections accepted before the event loop serves others again.
            door: Who takes over what is accepted.
        """
        sock.settimeout(0)
        self._loop = loop
        self._sock = sock
        self._turn = turn
        self._door = door
        self._retry: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Stop accepting and close the socket; may be called twice."""
        if self._retry:
            self._retry.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _accept(self) -> None:
        for _ in range(self._turn):
            if not self._door.has_place():
                self._pause(_FULL_SECONDS)
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it ended while it waited in the queue
            except OSError:
                if not _is_ready(self._sock):
                    return  # accepting fails for want of a descriptor even where there is nothing to accept
                # The socket stays ready: left as it is, this would be tried, and fail, without a pause.
                self._pause(_RETRY_SECONDS)
                self._door.make_room()
                return
            sock.settimeout(0)
            self._door.admit(sock)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock)
        self._retry = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._loop.add_reader(self._sock, self._accept)


def _is_ready(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
