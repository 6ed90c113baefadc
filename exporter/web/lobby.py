"""Where accepted connections wait until their first request is there, at next to no cost."""

from __future__ import annotations

import asyncio
import math
import re
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from exporter.web.arrival import Arrival
from exporter.web.connections import Connections
from exporter.web.handshakes import Handshakes
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.tls_stream import SessionError, TlsStream

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

    A TLS handshake is made here too, on the same terms: its first bytes cost nothing until they are whole, and there
    are few sessions at a time of clients that have not sent a request yet. Where many have fallen silent after their
    greeting, a client has to greet twice before it costs more than its bytes.

    What a request means is not decided here, only when it is worth to look at it: the protocol gets every byte.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        enter: Callable[[socket.socket, bytes, float, TlsStream | None], None],
        security: Callable[[], Security | None] = lambda: None,
        served: Callable[[], int] = lambda: 0,
    ) -> None:
        """Open the lobby.

        Args:
            loop: The running event loop.
            limits: How many may wait, for how long, and for how long a request.
            enter: Takes over a connection: its socket, what was read of its request, the deadline for the rest, its
                TLS session.
            security: Asked for each connection that enters: what secures it; None is plain HTTP.
            served: Tells how many connections are open that were handed over.
        """
        self._loop = loop
        self._limits = limits
        self._enter = enter
        self._security = security
        self._served = served
        self._handshakes = Handshakes(loop, limits, self._begin_handshake)
        self._books: Connections[Arrival] = Connections(limits.arrivals, self._count_places)
        self._bulky: Connections[Arrival] = Connections(limits.bulky)
        self._arrivals: dict[int, Arrival] = {}
        self._ready: deque[int] = deque()
        self._epoll = select.epoll()
        loop.add_reader(self._epoll, self._read_ready)

    def admit(self, sock: socket.socket) -> None:
        """Take in an accepted, non-blocking socket; drops the longest-waiting one if there is no room."""
        deadline = self._loop.time() + self._limits.request_seconds
        security = self._security()
        arrival = Arrival(sock, deadline, TlsStream(security) if security else None, self._forget)
        self._make_place()
        self._books.admit(arrival, arrival.deadline)
        self._arrivals[sock.fileno()] = arrival
        try:
            self._epoll.register(sock, select.EPOLLIN)
        except OSError:  # the kernel has no memory or no watch left
            self._close(arrival)

    def __len__(self) -> int:
        return len(self._books) + len(self._bulky)

    def has_place(self) -> bool:
        """Tell whether one more may be admitted: not if it pushed out one who waits for us, or has to answer yet."""
        for _ in range(self._limits.turn):
            other = self._books.next_to_go()
            if other is None or self._handshakes.next_of_crowd():
                return True
            if other.safe_until <= self._loop.time():
                # A last look: in a burst its request may be there, and just not have been read yet.
                self._read(other)
            if other is self._books.next_to_go():
                return other.safe_until <= self._loop.time()
        return False

    def make_room(self) -> None:
        """Drop the longer-waiting half of the connections."""
        self._books.drop_waiting(len(self._books) // 2)
        self._bulky.drop_waiting(len(self._bulky) // 2)
        self._handshakes.drop_oldest(len(self._handshakes) // 2)

    def drop_expired(self, now: float) -> None:
        """Drop the connections whose request has not come in time."""
        self._books.drop_expired(now)
        self._bulky.drop_expired(now)
        self._handshakes.drop_expired(now)

    def close(self) -> None:
        """Drop all and stop; may be called twice."""
        self._books.drop_all()
        self._bulky.drop_all()
        self._handshakes.close()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll)
            self._epoll.close()

    def _make_place(self) -> None:
        """Cut off one of a crowd in place of the one that would be pushed out, which may just be slow to answer."""
        if self._books.next_to_go() and (of_crowd := self._handshakes.next_of_crowd()):
            of_crowd.drop()

    def _count_places(self) -> int:
        """Count how many may wait here: as many as there is room for beside those who have come further."""
        others = len(self._bulky) + len(self._handshakes) + self._served()
        return max(1, self._limits.places - others)

    def _read_ready(self) -> None:
        """Read from those that have sent something, in turn, until enough of them have been handed over."""
        if not self._ready:
            self._ready.extend(fd for fd, _ in self._epoll.poll(0, self._limits.places))
        reads, handed_over = _READS_FOR_EACH_ACCEPTED * self._limits.turn, 0
        while self._ready and reads and handed_over < self._limits.turn:
            reads -= 1
            # It may have been dropped, or even replaced, since the kernel reported it.
            if arrival := self._arrivals.get(self._ready.popleft()):
                handed_over += self._read(arrival)

    def _read(self, arrival: Arrival) -> bool:
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
        if arrival.stream is None or arrival.stream.has_begun:
            return self._take(arrival, data)
        try:
            if arrival.stream.hold(data, self._limits.head_bytes) and arrival not in self._handshakes:
                self._greet(arrival, arrival.stream)
            self._note_size(arrival)
        except (SessionError, OSError) as error:
            with suppress(OSError):
                arrival.sock.send(arrival.stream.outgoing())
            self._refuse(arrival, error)
        return False

    def _note_size(self, arrival: Arrival) -> None:
        """Have one that has sent a lot be one of few."""
        if arrival.size > self._limits.bulky_bytes and arrival in self._books:
            self._books.remove(arrival)
            self._bulky.admit(arrival, arrival.deadline)

    def _greet(self, arrival: Arrival, stream: TlsStream) -> None:
        """Answer a client whose greeting is there, or have it wait for that."""
        if self._handshakes.is_crowded() and stream.ask_again():
            _send(arrival.sock, stream)
            # It is no longer one of those who have said nothing for longest.
            self._books.wait(arrival, arrival.deadline)
            time_to_answer = min(self._limits.retry_seconds + arrival.round_trip(), self._limits.hello_seconds)
            arrival.safe_until = self._loop.time() + time_to_answer
        else:
            arrival.safe_until = math.inf
            self._handshakes.add(arrival)

    def _begin_handshake(self, arrival: Arrival) -> None:
        # From here on it is no longer those who send nothing that could push it out.
        self._books.remove(arrival)
        self._bulky.remove(arrival)
        self._take(arrival, b"")

    def _take(self, arrival: Arrival, data: bytes) -> bool:
        """Take what was read; return whether the arrival was handed over."""
        try:
            fresh = _decrypt(arrival.sock, arrival.stream, data) if arrival.stream else data
        except (SessionError, OSError) as error:
            self._refuse(arrival, error)
            return False
        arrival.begun += fresh
        if not fresh or not self._is_due(arrival, len(fresh)):
            self._note_size(arrival)
            return False
        self._epoll.unregister(arrival.sock)
        self._forget(arrival)
        self._enter(arrival.sock, arrival.begun, arrival.deadline, arrival.stream)
        return True

    def _is_due(self, arrival: Arrival, fresh: int) -> bool:
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

    def _refuse(self, arrival: Arrival, reason: Exception) -> None:
        structlog.get_logger().debug("tls_client_refused", address=arrival.address(), reason=reason)
        self._close(arrival)

    def _close(self, arrival: Arrival) -> None:
        self._forget(arrival)
        arrival.sock.close()

    def _forget(self, arrival: Arrival) -> None:
        """Take one out of all that it may be in, so that nothing counts one that is gone, or drops it again."""
        self._books.remove(arrival)
        self._bulky.remove(arrival)
        self._handshakes.remove(arrival)
        self._arrivals.pop(arrival.sock.fileno(), None)


def _decrypt(sock: socket.socket, stream: TlsStream, data: bytes) -> bytes:
    """Take part in the handshake, and return what comes after it.

    Raises:
        SessionError: There will be none.
        OSError: The client is gone, or there is no room for what is to be sent.
    """
    try:
        fresh = stream.feed(data)
        if stream.has_ended and not fresh:
            raise SessionError("ended before a request came")
        if stream.is_open and not fresh:
            _acknowledge(sock)
    finally:
        _send(sock, stream)
    return fresh


def _send(sock: socket.socket, stream: TlsStream) -> None:
    """Send what the session has to say; the buffer of a connection this young is empty, and takes it all."""
    if (answer := stream.outgoing()) and sock.send(answer) < len(answer):
        raise BlockingIOError


def _acknowledge(sock: socket.socket) -> None:
    """Tell the client at once that the end of its handshake has come.

    Nothing else is due then, so that the kernel would wait 40 ms for something to go with it, while a client that
    does not set TCP_NODELAY waits for just that before it sends its request.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
