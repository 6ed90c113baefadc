"""One connection to fail2ban's socket: read-only requests, written at once, their replies in order."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from exporter.fail2ban import pickles
from exporter.fail2ban.commands import is_read_only
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.failures import ConnectionEndedError, ProtocolError, from_os_error

END: Final = b"<F2B_END_COMMAND>"
MAX_REPLY_BYTES: Final = 4 * 1024 * 1024
"""The largest reply to a probe's request; a jail's status with 100,000 addresses takes 2 MB."""
MAX_BULK_BYTES: Final = 16 * 1024 * 1024
"""The largest reply to what is asked off the probe's path."""
_MEMORY: Final = pickles.MAX_MEMORY // MAX_REPLY_BYTES
"""Bytes of memory that a reply may take for each of its own."""

_CHUNK: Final = 64 * 1024  # more is memory that the allocator fetches from the kernel each time
_RETRY_SECONDS: Final = 0.02


class Connection:
    """A connected socket. Used by one thread alone; only `fileno` is for its poll.

    Every failure is a `ProbeError`; after one the replies that are still under way would answer the wrong requests,
    so the connection is good for nothing but watching its end.
    """

    def __init__(self, path: str, deadline: Deadline, max_bytes: int = MAX_REPLY_BYTES) -> None:
        """Connect to the socket at `path`, for replies of at most `max_bytes`.

        A server that accepts nobody (stopped, or busy for long) has room for one waiting connection; past that connect
        fails at once, and is tried again until the deadline.

        Raises:
            ProbeError: the socket is missing, refused, denied, of another type, or the deadline passed.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._received = bytearray()
        self._searched = 0  # how many received bytes are known to hold no end marker
        self.meanwhile: Callable[[], None] = lambda: None
        """Called when requests are on their way, before their replies are waited for."""
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            raise from_os_error(error, path) from None
        try:
            self._connect(deadline)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, deadline: Deadline) -> None:
        while True:
            try:
                self._socket.connect(self._path)
            except BlockingIOError:
                time.sleep(min(_RETRY_SECONDS, deadline.remaining()))
            except OSError as error:
                raise from_os_error(error, self._path) from None
            else:
                return

    @property
    def socket(self) -> socket.socket:
        """The socket, for asking who is at its other end."""
        return self._socket

    def fileno(self) -> int:
        """Return the descriptor, for poll: readable between two probes means that the connection has ended."""
        return self._socket.fileno()

    def has_ended(self) -> bool:
        """Tell whether the server has closed its end."""
        return bool(self._events() & ~select.POLLIN)

    def has_stray_bytes(self) -> bool:
        """Tell whether the server speaks without having been asked: no later reply would fit its request."""
        return bool(self._received) or self._events() == select.POLLIN

    def _events(self) -> int:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | select.POLLRDHUP)
        return next((events for _, events in poller.poll(0)), 0)

    def ask(self, command: list[str], deadline: Deadline) -> pickles.Value:
        """Send one request and return its reply, as `ask_all` does."""
        return next(self.ask_all([command], deadline))

    def ask_all(self, commands: Sequence[list[str]], deadline: Deadline) -> Iterator[pickles.Value]:
        """Send all requests without waiting in between, and yield each reply as it is complete.

        Raises:
            ProbeError: the deadline passed, the connection ended, or a reply was malformed or over the cap.
        """
        for command in commands:
            if not is_read_only(command):
                raise AssertionError(f"not a read-only command: {command[:1]}")
        unsent = self._send(memoryview(b"".join(pickles.dumps(command) + END for command in commands)))
        self.meanwhile()
        for _ in commands:
            while (reply := self._take_reply()) is None:
                unsent = self._exchange(unsent, deadline)
            try:
                yield pickles.loads(reply, deadline.check, self._max_bytes * _MEMORY)
            except pickles.MalformedReplyError as error:
                raise ProtocolError(f"what answers at {self._path} is not fail2ban: {error}") from None

    def _take_reply(self) -> bytes | None:
        """Take the next whole reply out of what was received, or return None if it is not whole yet."""
        end = self._received.find(END, self._searched)
        if end < 0:
            if len(self._received) > self._max_bytes:
                size = self._max_bytes // 1024**2
                raise ProtocolError(f"what answers at {self._path} is not fail2ban: a reply of over {size} MiB")
            self._searched = max(0, len(self._received) - len(END) + 1)
            return None
        reply = bytes(self._received[:end])
        del self._received[: end + len(END)]
        self._searched = 0
        return reply

    def _exchange(self, unsent: memoryview, deadline: Deadline) -> memoryview:
        """Wait until the socket is ready, write what it takes, read what it has; return what is left to write."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | (select.POLLOUT if unsent else 0))
        ready = poller.poll(deadline.remaining() * 1000)
        if ready and ready[0][1] & select.POLLOUT:
            unsent = self._send(unsent)
        if ready and ready[0][1] & ~select.POLLOUT:
            self._receive()
        return unsent

    def _send(self, unsent: memoryview) -> memoryview:
        """Write what the socket takes; return what is left."""
        try:
            return unsent[self._socket.send(unsent) :]
        except BlockingIOError:
            return unsent
        except OSError as error:
            raise from_os_error(error, self._path) from None

    def _receive(self) -> None:
        try:
            received = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise from_os_error(error, self._path) from None
        if not received:
            raise ConnectionEndedError(f"the server at {self._path} closed the connection before it had answered")
        self._received += received

    def close(self) -> None:
        """Close this end; again does nothing."""
        with suppress(OSError):
            self._socket.close()
