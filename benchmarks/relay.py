"""Counts the bytes between a client and a UNIX socket."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Passes bytes on, both ways, for one connection at a time.

    Attributes:
        path: Where clients connect.
        sent: Bytes from clients.
        received: Bytes to clients.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.sent = 0
        self.received = 0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            with client, socket.socket(socket.AF_UNIX) as server, suppress(ConnectionError):
                server.connect(str(self._target))
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([client, server], [], [])
            for source in ready:
                data = source.recv(65_536)
                if not data:
                    return
                (server if source is client else client).sendall(data)
                if source is client:
                    self.sent += len(data)
                else:
                    self.received += len(data)


@contextmanager
def relay(target: Path) -> Iterator[Relay]:
    """Pass on to a socket, from one beside it."""
    running = Relay(target.with_name("relay.sock"), target)
    try:
        yield running
    finally:
        running.close()
