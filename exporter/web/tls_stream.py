"""The server's end of one TLS session, between bytes that go over the wire and bytes that mean something."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import cast

from exporter.web.client_hello import groups_without_key
from exporter.web.security import Security

_RECORD_HEAD = 5
_CHANGE_CIPHER_SPEC = b"\x14"
_ALERT = b"\x15"
_HANDSHAKE = b"\x16"
_RETRY_REQUEST = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random number of a ServerHello that is none (RFC 8446, 4.1.3)."""
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
    45 KB until the handshake has ended), and what its signature costs, begins then, or once the client has greeted
    twice if it is asked to.
    """

    __slots__ = (
        "_begun",
        "_context",
        "_farewell",
        "_first_greeting",
        "_incoming",
        "_outgoing",
        "_session",
        "has_ended",
        "is_open",
        "security",
    )

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
        self._context = security.context
        self._first_greeting = b""
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
    def was_asked(self) -> bool:
        """Whether the client was asked to greet once more."""
        return self._context is not self.security.context

    @property
    def held_bytes(self) -> int:
        """How much is kept of what the client has sent."""
        return len(self._first_greeting) + len(self._begun)

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
        kinds = _CHANGE_CIPHER_SPEC + _ALERT + _HANDSHAKE if self.was_asked else _HANDSHAKE
        if self._begun[0] not in kinds:
            self._farewell = _PLAIN_HTTP if self._begun[:1].isalpha() else b""
            raise SessionError("not TLS")
        if self.held_bytes > most:
            raise SessionError("too long a greeting")
        return _says_something(self._begun)

    def ask_again(self) -> bool:
        """Have the client greet once more before its handshake begins, to see whether it listens.

        It is asked for a key of another kind, by TLS 1.3's HelloRetryRequest. That takes a tenth of the time that a
        handshake does, and leaves nothing but the greeting to keep: the request is made by a session that is given up
        then, and as there is nothing random in it, the one that is begun by both greetings says the same.

        Returns:
            Whether it was asked, by what `outgoing` holds now. Not a client that speaks no TLS 1.3, has sent a key of
            every kind that is allowed, or was asked before.

        Raises:
            SessionError: The greeting makes no sense.
        """
        retries = self.security.retries
        group = next((each for each in groups_without_key(self._begun) if each in retries), None)
        if self.was_asked or group is None:
            return False
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(self._begun)
        try:
            retries[group].wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._farewell = outgoing.read()
            raise SessionError(error.reason or str(error)) from None
        request = outgoing.read()
        if _RETRY_REQUEST not in request:
            return False
        self._context = retries[group]
        self._farewell = request
        self._first_greeting, self._begun = self._begun, b""
        return True

    def feed(self, data: bytes) -> bytes:
        """Take what the client has sent, and begin if need be; return what it means, if anything yet.

        Raises:
            SessionError: It makes no sense, or the client may not come in.
        """
        if self._session is None:
            data, self._begun = self._begun + data, b""
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._session = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            if self.was_asked:
                self._repeat_request(self._session)
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

    def _repeat_request(self, session: ssl.SSLObject) -> None:
        """Bring a session to where the client is, who has been asked already."""
        self._incoming.write(self._first_greeting)
        self._first_greeting = b""
        with suppress(ssl.SSLWantReadError):
            session.do_handshake()
        self.outgoing()

    def _read(self, session: ssl.SSLObject) -> bytes:
        if not self.is_open:
            session.do_handshake()
            if session.session_reused:  # of TLS 1.2, while another connection has it open: OpenSSL can't be told not to
                raise SessionError("a session that was resumed")
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


def _says_something(records: bytes) -> bool:
    """Tell whether the first record that means something is whole; one that doesn't may come before it."""
    while records[:1] == _CHANGE_CIPHER_SPEC and len(records) >= _RECORD_HEAD:
        records = records[_RECORD_HEAD + int.from_bytes(records[3:_RECORD_HEAD]) :]
    return len(records) >= _RECORD_HEAD + int.from_bytes(records[3:_RECORD_HEAD])
