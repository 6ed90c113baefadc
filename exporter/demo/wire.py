"""The server's side of fail2ban's wire format, as 1.1.1 speaks it."""

from __future__ import annotations

import pickle
import socketserver
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from exporter.fail2ban import pickles
from exporter.fail2ban.connection import END

_CLOSE: Final = b"<F2B_CLOSE_COMMAND>"
_MAX_REQUEST: Final = 64 * 1024

Answer = Callable[[list[str]], bytes]
"""Takes a command, returns the reply without its end marker."""


class Address(str):
    """An address, pickled as fail2ban does: ``str`` called with the plain string."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, ("".join(self),)


def good(value: Any) -> bytes:
    """Return the reply ``(0, value)``."""
    return pickle.dumps((0, value), protocol=5)


def fault(module: str, name: str, text: str) -> bytes:
    """Return the reply ``(1, error)`` of an exception class that need not exist here."""
    parts = (_text(module), _text(name), b"\x93\x94", _text(text), b"\x85\x94R\x94\x86\x94.")
    return b"\x80\x05K\x01" + b"".join(parts)


def _text(text: str) -> bytes:
    raw = text.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw + b"\x94"


class WireServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves a function over fail2ban's protocol on a UNIX socket, one thread a connection.

    `server_close` leaves the socket file behind, as a crash does; `remove` takes it away, as a clean stop does.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1  # as fail2ban's

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self.answer = answer
        super().__init__(str(path), _Handler)

    def remove(self) -> None:
        """Close the listening socket and remove its file."""
        self.server_close()
        self.path.unlink(missing_ok=True)


class _Handler(socketserver.BaseRequestHandler):
    server: WireServer

    def handle(self) -> None:
        received = bytearray()
        try:
            while chunk := self.request.recv(65_536):
                received += chunk
                *requests, rest = bytes(received).split(END)
                received[:] = rest
                if any(request == _CLOSE for request in requests) or len(received) > _MAX_REQUEST:
                    return
                self.request.sendall(b"".join(self._reply(request) + END for request in requests))
        except ConnectionError:
            return

    def _reply(self, request: bytes) -> bytes:
        try:
            command = pickles.loads(request, lambda: None)
        except pickles.MalformedReplyError as error:
            return pickle.dumps(f"ERROR: {error}", protocol=5)
        return self.server.answer([word for word in command if isinstance(word, str)] if type(command) is list else [])
