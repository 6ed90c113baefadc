"""A connection that has not sent its first request yet."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from exporter.web.sockets import reset_on_close
from exporter.web.tls_stream import TlsStream

_ROUND_TRIP = slice(68, 72)
"""Where the kernel's `struct tcp_info` has `tcpi_rtt`, in microseconds."""


class Arrival:
    """What the lobby knows of one."""

    __slots__ = ("_forget", "begun", "deadline", "head_bytes", "safe_until", "sock", "stream")

    def __init__(
        self, sock: socket.socket, deadline: float, stream: TlsStream | None, forget: Callable[[Arrival], None]
    ) -> None:
        """Begin with nothing read.

        Args:
            sock: The socket.
            deadline: For its first request, on the event loop's clock.
            stream: Its TLS session; None without TLS.
            forget: Called when it is dropped, whoever does that: takes it out of all that it is in.
        """
        self.sock = sock
        self.deadline = deadline
        self.stream = stream
        self.begun = b""
        """What it has sent of its request."""
        self.head_bytes = 0
        """How long the head is, its empty line included; 0 until that is there."""
        self.safe_until = 0.0
        """Until then no newcomer may have its place: it has done all that it can, or has had no time to."""
        self._forget = forget

    @property
    def size(self) -> int:
        """How many bytes are kept of what it has sent."""
        return len(self.begun) + (self.stream.held_bytes if self.stream else 0)

    @property
    def is_proven(self) -> bool:
        """Whether it has greeted twice, as it was asked to."""
        return self.stream is not None and self.stream.was_asked

    def address(self) -> str:
        """Where it comes from; empty once it has gone."""
        try:
            return str(self.sock.getpeername()[0])
        except OSError:
            return ""

    def round_trip(self) -> float:
        """How many seconds away it is, as the kernel measured.

        Raises:
            OSError: It has gone.
        """
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP.stop)
        return int.from_bytes(info[_ROUND_TRIP], sys.byteorder) / 1_000_000

    def drop(self) -> None:
        """Cut it off; may be called twice."""
        self._forget(self)
        if self.sock.fileno() >= 0:
            reset_on_close(self.sock)
            self.sock.close()
