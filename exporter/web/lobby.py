"""Where accepted connections wait until their first request is there, at next to no cost."""

from __future__ import annotations

import asyncio
import re
import select
import socket
from collections import deque
from collections.abc import Callable

from exporter.web.connections import Connections
from exporter.web.limits import Limits
from exporter.web.sockets import reset_on_close

_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})[ \t\r]*\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\nexpect:", re.IGNORECASE)
_FIRST_PRINTABLE = 0x21
_READS_FOR_EACH_ACCEPTED = 4
"""So many reads for each connection accepted: they keep up where all drip at once."""


class Lobby:
    """Reads each new connection's first request until it seems to be whole, then hands the connection over.

    Accepting, reading and dropping a connection here costs a fraction of what a protocol and a transport cost to set
    up and to tear down. In a flood of connections that never send a whole request this decides how long a scrape
    waits in the kernel's queue behind them. All sockets hang on one epoll object, which hangs on the event loop: to
    enter or to leave is one system call.

    What a request means is not decided here, only when it is worth to look at it: the protocol gets every byte.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        enter: Callable[[socket.socket, bytes, float], None],
    ) -> None:
        """Open the lobby.

        Args:
            loop: The running event loop.
            limits: How many may wait, for how long, and for how long a request.
            enter: Takes over a connection: its socket, what was read of its request, the deadline for the rest.
        """
        self._loop = loop
        self._limits = limits
        self._enter = enter
        self._books: Connections[_Arrival] = Connections(limits.arrivals)
        self._arrivals: dict[int, _Arrival] = {}
        self._ready: deque[int] = deque()
        self._epoll = select.epoll()
        loop.add_reader(self._epoll, self._read_ready)

    def admit(self, sock: socket.socket) -> None:
        """Take in an accepted, non-blocking socket; drops the longest-waiting one if there is no room."""
        if other := self._books.next_to_go():
            # A last look: in a burst its request may be there, and just not have been read yet.
            self._read(other)
        arrival = _Arrival(sock, self._loop.time() + self._limits.request_seconds, self._arrivals)
        self._books.admit(arrival, arrival.deadline)
        self._arrivals[sock.fileno()] = arrival
        try:
            self._epoll.register(sock, select.EPOLLIN)
        except OSError:  # the kernel has no memory or no watch left
            self._close(arrival)

    def make_room(self) -> None:
        """Drop the longer-waiting half of the connections."""
        self._books.drop_waiting(len(self._books) // 2)

    def drop_expired(self, now: float) -> None:
        """Drop the connections whose request has not come in time."""
        self._books.drop_expired(now)

    def close(self) -> None:
        """Drop all and stop; may be called twice."""
        self._books.drop_all()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll)
            self._epoll.close()

    def _read_ready(self) -> None:
        """Read from those that have sent something, in turn, until enough of them have been handed over."""
        if not self._ready:
            self._ready.extend(fd for fd, _ in self._epoll.poll(0, self._limits.arrivals))
        reads, handed_over = _READS_FOR_EACH_ACCEPTED * self._limits.turn, 0
        while self._ready and reads and handed_over < self._limits.turn:
            reads -= 1
            # It may have been dropped, or even replaced, since the kernel reported it.
            if arrival := self._arrivals.get(self._ready.popleft()):
                handed_over += self._read(arrival)

    def _read(self, arrival: _Arrival) -> bool:
        """Read what an arrival has sent; return whether it was handed over."""
        try:
            data = arrival.sock.recv(2 * self._limits.receive_buffer_bytes)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data:
            self._close(arrival)
            return False
        arrival.begun += data
        if not self._is_due(arrival, len(data)):
            return False
        self._epoll.unregister(arrival.sock)
        self._forget(arrival)
        self._enter(arrival.sock, arrival.begun, arrival.deadline)
        return True

    def _is_due(self, arrival: _Arrival, fresh: int) -> bool:
        """Whether the protocol can do something with what is there, of which so many bytes are new."""
        begun, limits = arrival.begun, self._limits
        if begun[0] < _FIRST_PRINTABLE:
            return True  # no request line: the refusal is due at once
        if not arrival.head_bytes:
            end = _HEAD_END.search(begun, max(0, len(begun) - fresh - 2))
            if not end:
                return len(begun) > limits.head_bytes
            arrival.head_bytes = end.end()
        if len(begun) > limits.head_bytes + limits.body_bytes or _EXPECTS.search(begun, 0, arrival.head_bytes):
            return True
        if length := _LENGTH.search(begun, 0, arrival.head_bytes):
            return len(begun) >= arrival.head_bytes + int(length[1])
        is_chunked = _CHUNKED.search(begun, 0, arrival.head_bytes)
        return not is_chunked or b"\r\n\r\n" in begun[arrival.head_bytes :]

    def _close(self, arrival: _Arrival) -> None:
        self._forget(arrival)
        arrival.sock.close()

    def _forget(self, arrival: _Arrival) -> None:
        self._books.remove(arrival)
        del self._arrivals[arrival.sock.fileno()]


class _Arrival:
    __slots__ = ("_arrivals", "begun", "deadline", "head_bytes", "sock")

    def __init__(self, sock: socket.socket, deadline: float, arrivals: dict[int, _Arrival]) -> None:
        self.sock = sock
        self.deadline = deadline
        self.begun = b""
        self.head_bytes = 0
        """How long the head is, its empty line included; 0 until that is there."""
        self._arrivals = arrivals

    def drop(self) -> None:
        self._arrivals.pop(self.sock.fileno(), None)
        reset_on_close(self.sock)
        self.sock.close()
