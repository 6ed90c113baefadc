"""A TLS client without a socket, so that a test can stop it between two of its words."""

from __future__ import annotations

import ssl
from contextlib import suppress


class Peer:
    """One session of a client.

    Attributes:
        session: What OpenSSL knows of it.
        is_open: The handshake has ended, as the client sees it.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.is_open = False

    def hear(self, data: bytes) -> bytes:
        """Take what the server says; return the answer."""
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self.session.do_handshake()
            self.is_open = True
        return self._outgoing.read()
