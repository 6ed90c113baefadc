"""A served connection's transport under TLS: what the protocol writes goes out encrypted, and the other way round."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from exporter.web.tls_stream import SessionError, TlsStream

_MOST_UNSENT = 128 * 1024
"""Bytes; a protocol that waits when it is told to has far fewer."""


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """Stands between a protocol and the socket's own transport, for a session whose handshake has ended.

    The event loop's own TLS takes 256 KB a connection, keeps data beyond the limits that it was given, and does not
    take up a handshake that was made before. All limits here are those of the socket's transport.
    """

    def __init__(self, stream: TlsStream, protocol: asyncio.Protocol) -> None:
        """Wait for the socket's transport, which `connection_made` brings.

        Args:
            stream: The session.
            protocol: Who takes what the session says.
        """
        super().__init__()
        self._stream = stream
        self._protocol = protocol
        self._wire: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._wire = cast("asyncio.Transport", transport)
        self._protocol.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, and leave nothing behind that keeps either in memory."""
        protocol, self._protocol = self._protocol, asyncio.Protocol()
        protocol.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Decrypt, and pass on what there is."""
        try:
            plain = self._stream.feed(data)
        except SessionError:
            self._send()
            self._wire.close()
            return
        self._send()
        if self._wire.get_write_buffer_size() > _MOST_UNSENT:
            # A session answers some of what comes by itself, whether or not the client reads.
            self._wire.abort()
            return
        if plain:
            self._protocol.data_received(plain)
        if self._stream.has_ended and not self._wire.is_closing():
            self._protocol.eof_received()
            self.close()

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._protocol.resume_writing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if not data or self._wire.is_closing():
            return
        try:
            self._stream.write(bytes(data))
        except SessionError:
            self._wire.abort()
            return
        self._send()

    def close(self) -> None:
        """Send what was written and the word that it was all, then end; the client's own word is not waited for."""
        if not self._wire.is_closing():
            self._stream.end()
            self._send()
            self._wire.close()

    def abort(self) -> None:
        """End at once."""
        self._wire.abort()

    def is_closing(self) -> bool:
        """Whether it ends."""
        return self._wire.is_closing()

    def pause_reading(self) -> None:
        """Take no more from the socket."""
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        """Take more again."""
        self._wire.resume_reading()

    def is_reading(self) -> bool:
        """Whether it takes what the socket has."""
        return self._wire.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how much may wait for the socket, encrypted."""
        self._wire.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """How much waits for the socket, encrypted."""
        return self._wire.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket's transport knows, and the context, by which a protocol sees that this is HTTPS."""
        return self._stream.security.context if name == "sslcontext" else self._wire.get_extra_info(name, default)

    def _send(self) -> None:
        if data := self._stream.outgoing():
            self._wire.write(data)
