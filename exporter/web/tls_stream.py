"""The server's end of one TLS session, between bytes that go over the wire and bytes that mean something."""

from __future__ import annotations

import ssl
from typing import cast

from exporter.web.security import Security

_RECORD_HEAD = 5
_HANDSHAKE = 0x16
_PIECE = 64 * 1024
_PLAIN_HTTP = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"this port speaks HTTPS: use https:// in place of http://\n"
)


class SessionError(Exception):
    """There will be no session, or no more of it; what `TlsStream.outgoing` holds may still be sent."""


class TlsStream:
    """One session. It does no I/O: its user carries the bytes, in whatever order they come.

    Until the client's first record is whole there is nothing but its bytes. What OpenSSL keeps for a session (some
    45 KB until the handshake has ended), and what its signature costs, begins then.
    """

    __slots__ = ("_begun", "_farewell", "_incoming", "_outgoing", "_session", "has_ended", "is_open", "security")

    def __init__(self, security: Security) -> None:
        """Begin with nothing.

        Args:
            security: What the session is secured by, for as long as it lasts.
        """
        self.security = security
        self.is_open = False
        """The handshake has ended well."""
        self.has_ended = False
        """The client has said that it would send no more."""
        self._begun = b""
        self._session: ssl.SSLObject | None = None
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO | None = None
        self._farewell = b""

    @property
    def has_begun(self) -> bool:
        """Whether OpenSSL has taken up the handshake."""
        return self._session is not None

    @property
    def held_bytes(self) -> int:
        """How much is kept of what the client has sent."""
        return len(self._begun)

    def hold(self, data: bytes, most: int) -> bool:
        """Keep what the client has sent for when the handshake begins, which `feed` with nothing more does.

        Args:
            data: What it has sent.
            most: Bytes that a greeting may have.

        Returns:
            Whether it is all that it takes to begin.

        Raises:
            SessionError: It is no TLS, or too long.
        """
        self._begun += data
        if self._begun[0] != _HANDSHAKE:
            self._farewell = _PLAIN_HTTP if self._begun[:1].isalpha() else b""
            raise SessionError("not TLS")
        if len(self._begun) > most:
            raise SessionError("too long a greeting")
        return len(self._begun) >= _RECORD_HEAD + int.from_bytes(self._begun[3:_RECORD_HEAD])

    def feed(self, data: bytes) -> bytes:
        """Take what the client has sent, and begin if need be; return what it means, if anything yet.

        Raises:
            SessionError: It makes no sense, or the client may not come in.
        """
        if self._session is None:
            data, self._begun = self._begun + data, b""
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._session = self.security.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(data)
        try:
            return self._read(self._session)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise SessionError(error.reason or str(error)) from None

    def write(self, data: bytes) -> None:
        """Take what is to be said; it comes out as `outgoing`. Only once the session is open."""
        session = cast("ssl.SSLObject", self._session)
        try:
            session.write(data)
        except ssl.SSLError as error:
            raise SessionError(error.reason or str(error)) from None

    def end(self) -> None:
        """Say that no more will come."""
        if self._session and self.is_open:
            try:
                self._session.unwrap()
            except ssl.SSLError:
                return  # the client has not said so yet, and may never

    def outgoing(self) -> bytes:
        """Take the bytes that are to go over the wire."""
        farewell, self._farewell = self._farewell, b""
        return self._outgoing.read() if self._outgoing else farewell

    def _read(self, session: ssl.SSLObject) -> bytes:
        if not self.is_open:
            session.do_handshake()
            if not self.security.admits(session):
                raise SessionError("no client_allowed_sans in the client's certificate")
            self.is_open = True
        pieces = []
        try:
            while piece := session.read(_PIECE):
                pieces.append(piece)
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        return b"".join(pieces)
