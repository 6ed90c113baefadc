"""Where accepted connections wait until their first request is there, at next to no cost."""

from __future__ import annotations

import asyncio
import re
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from exporter.web.connections import Connections
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.sessions import Sessions
from exporter.web.sockets import reset_on_close
from exporter.web.tls_stream import SessionError, TlsStream

_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})[ \t\r]*\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\nexpect:", re.IGNORECASE)
_FIRST_PRINTABLE = 0x21
_PAUSE_SECONDS = 0.01
_READS_FOR_EACH_ACCEPTED = 4
"""So many reads for each connection accepted: they keep up where all drip at once."""


class Lobby:
    """Reads each new connection's first request until it seems to be whole, then hands the connection over.

    Accepting, reading and dropping a connection here costs a fraction of what a protocol and a transport cost to set
    up and to tear down. In a flood of connections that never send a whole request this decides how long a scrape
    waits in the kernel's queue behind them. All sockets hang on one epoll object, which hangs on the event loop: to
    enter or to leave is one system call.

    A TLS handshake is made here too, on the same terms: its first bytes cost nothing until they are whole, and there
    are few sessions at a time of clients that have not sent a request yet.

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
        self._sessions: Sessions[_Arrival] = Sessions(limits.handshakes, limits.hello_seconds)
        self._greetings: dict[_Arrival, None] = {}
        self._hellos = 0
        self._timer: asyncio.TimerHandle | None = None
        self._books: Connections[_Arrival] = Connections(limits.arrivals, self._count_places)
        self._bulky: Connections[_Arrival] = Connections(limits.bulky)
        self._arrivals: dict[int, _Arrival] = {}
        self._ready: deque[int] = deque()
        self._epoll = select.epoll()
        loop.add_reader(self._epoll, self._read_ready)

    def admit(self, sock: socket.socket) -> None:
        """Take in an accepted, non-blocking socket; drops the longest-waiting one if there is no room."""
        deadline = self._loop.time() + self._limits.request_seconds
        security = self._security()
        arrival = _Arrival(sock, deadline, TlsStream(security) if security else None, self._arrivals)
        self._books.admit(arrival, arrival.deadline)
        self._arrivals[sock.fileno()] = arrival
        try:
            self._epoll.register(sock, select.EPOLLIN)
        except OSError:  # the kernel has no memory or no watch left
            self._close(arrival)

    def __len__(self) -> int:
        return len(self._books) + len(self._bulky)

    def has_place(self) -> bool:
        """Tell whether one more may be admitted: not if it pushed out one who has done all he can, and waits for us."""
        other = self._books.next_to_go()
        if other and other not in self._greetings:
            # A last look: in a burst its request may be there, and just not have been read yet.
            self._read(other)
        return other not in self._greetings

    def make_room(self) -> None:
        """Drop the longer-waiting half of the connections."""
        self._books.drop_waiting(len(self._books) // 2)
        self._bulky.drop_waiting(len(self._bulky) // 2)
        self._sessions.drop_oldest(len(self._sessions) // 2)

    def drop_expired(self, now: float) -> None:
        """Drop the connections whose request has not come in time."""
        self._books.drop_expired(now)
        self._bulky.drop_expired(now)
        self._sessions.drop_expired(now)
        self._greetings = {arrival: None for arrival in self._greetings if self._waits(arrival)}

    def close(self) -> None:
        """Drop all and stop; may be called twice."""
        self._books.drop_all()
        self._bulky.drop_all()
        self._sessions.drop_oldest(len(self._sessions))
        self._greetings.clear()
        if self._timer:
            self._timer.cancel()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll)
            self._epoll.close()

    def _waits(self, arrival: _Arrival) -> bool:
        return arrival in self._books or arrival in self._bulky

    def _count_places(self) -> int:
        """Count how many may wait here: as many as there is room for beside those who have come further."""
        others = len(self._bulky) + len(self._sessions) + self._served()
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
        if arrival.stream is None or arrival.stream.has_begun:
            return self._take(arrival, data)
        try:
            if arrival.stream.hold(data, self._limits.head_bytes):
                self._greetings[arrival] = None
                self._greet()
            self._note_size(arrival)
        except SessionError as error:
            with suppress(OSError):
                arrival.sock.send(arrival.stream.outgoing())
            self._refuse(arrival, error)
        return False

    def _note_size(self, arrival: _Arrival) -> None:
        """Have one that has sent a lot be one of few."""
        if arrival.size > self._limits.bulky_bytes and arrival in self._books:
            self._books.remove(arrival)
            self._bulky.admit(arrival, arrival.deadline)

    def _greet(self) -> None:
        """Begin the handshakes of those that wait for it longest, as many as there is room and time for."""
        while self._greetings and self._hellos < self._limits.hellos and self._sessions.has_room(self._loop.time()):
            arrival = next(iter(self._greetings))
            del self._greetings[arrival]
            if self._waits(arrival):
                self._hellos += 1
                # From here on it is no longer those who send nothing that could push it out.
                self._books.remove(arrival)
                self._bulky.remove(arrival)
                self._sessions.admit(arrival, arrival.address(), self._loop.time(), arrival.deadline)
                self._take(arrival, b"")
        if (self._greetings or self._hellos) and not self._timer:
            delay = 0 if self._hellos else _PAUSE_SECONDS
            self._timer = self._loop.call_later(delay, self._greet_again)

    def _greet_again(self) -> None:
        self._timer, self._hellos = None, 0
        self._greet()

    def _take(self, arrival: _Arrival, data: bytes) -> bool:
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

    def _refuse(self, arrival: _Arrival, reason: Exception) -> None:
        structlog.get_logger().debug("tls_client_refused", address=arrival.address(), reason=reason)
        self._close(arrival)

    def _close(self, arrival: _Arrival) -> None:
        self._forget(arrival)
        arrival.sock.close()

    def _forget(self, arrival: _Arrival) -> None:
        self._books.remove(arrival)
        self._bulky.remove(arrival)
        self._sessions.remove(arrival)
        self._greetings.pop(arrival, None)
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
        # The buffer of a connection this young is empty, and takes it all.
        if (answer := stream.outgoing()) and sock.send(answer) < len(answer):
            raise BlockingIOError
    return fresh


def _acknowledge(sock: socket.socket) -> None:
    """Tell the client at once that the end of its handshake has come.

    Nothing else is due then, so that the kernel would wait 40 ms for something to go with it, while a client that
    does not set TCP_NODELAY waits for just that before it sends its request.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Arrival:
    __slots__ = ("_arrivals", "begun", "deadline", "head_bytes", "sock", "stream")

    def __init__(
        self, sock: socket.socket, deadline: float, stream: TlsStream | None, arrivals: dict[int, _Arrival]
    ) -> None:
        self.sock = sock
        self.deadline = deadline
        self.stream = stream
        self.begun = b""
        self.head_bytes = 0
        """How long the head is, its empty line included; 0 until that is there."""
        self._arrivals = arrivals

    @property
    def size(self) -> int:
        """How many bytes are kept of what it has sent."""
        return len(self.begun) + (self.stream.held_bytes if self.stream else 0)

    def address(self) -> str:
        try:
            return str(self.sock.getpeername()[0])
        except OSError:  # it has gone
            return ""

    def drop(self) -> None:
        self._arrivals.pop(self.sock.fileno(), None)
        reset_on_close(self.sock)
        self.sock.close()
