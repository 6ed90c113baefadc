"""One HTTP connection: uvicorn's h11 protocol with a deadline for whatever it waits for."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import cast

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from exporter.web.connections import Connections
from exporter.web.limits import Limits
from exporter.web.sockets import reset_on_close
from exporter.web.tls_stream import TlsStream
from exporter.web.tls_transport import TlsTransport


class Connection(H11Protocol):
    """A connection whose first request has begun, in the books from when it is made until it ends.

    uvicorn's protocol bounds only the idle time between two requests. Here a request has a deadline, however slowly
    its bytes come, and so has the client for taking its answer once the kernel's buffer is full. A faulty request
    gets the status that h11 finds fitting, where an answer is still possible; where not, uvicorn would raise into the
    event loop, which writes a traceback to standard error, and the connection ends in silence here.
    """

    def __init__(
        self, config: Config, state: ServerState, books: Connections[Connection], limits: Limits, deadline: float
    ) -> None:
        """Enter the books.

        Args:
            config: uvicorn's, loaded.
            state: uvicorn's, shared by all connections.
            books: Where this connection notes for whom it waits.
            limits: Time and bytes for each request.
            deadline: For the first request, on the event loop's clock.
        """
        super().__init__(config, state, app_state={})
        self._books = books
        self._limits = limits
        self._is_outdated: Callable[[], bool] = bool
        self._opening: asyncio.Task[object] | None = None
        self._begun = b""
        self._is_open = False
        self._is_idle = False
        self._request_bytes = 0
        self._request_deadline = deadline
        self._answer_deadline: float | None = None
        self._noted: float | None = deadline
        books.admit(self, deadline)

    def open(
        self, sock: socket.socket, begun: bytes, stream: TlsStream | None, is_outdated: Callable[[], bool]
    ) -> None:
        """Serve an accepted, non-blocking socket, from which the beginning of a request was read already.

        Args:
            sock: The socket.
            begun: What was read, decrypted.
            stream: The TLS session, open; None without TLS.
            is_outdated: Whether the connection is to end with its next answer, since a new one would be secured
                otherwise.
        """
        self._is_outdated = is_outdated
        protocol = TlsTransport(stream, self) if stream else self

        def opened(task: asyncio.Task[object]) -> None:
            self._opening = None
            if task.cancelled() or task.exception():
                self._books.remove(self)
                sock.close()

        self._begun = begun
        self._opening = self.loop.create_task(self.loop.connect_accepted_socket(lambda: protocol, sock))
        self._opening.add_done_callback(opened)

    def drop(self) -> None:
        """End at once, whatever the client has not taken yet; the descriptor is closed a turn later."""
        if self._opening:
            self._opening.cancel()
        if self._is_open:
            with suppress(OSError):  # closed already
                reset_on_close(self.transport.get_extra_info("socket"))
            self.transport.abort()

    def shutdown(self) -> None:
        """End after the answer that is owed, or at once where none is."""
        if self._owes_answer():
            self.cycle.keep_alive = False
        elif self._is_open:
            self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin with what was read before."""
        super().connection_made(transport)
        self.app = self._serve
        self._is_open = True
        # Told as soon as the kernel takes no more: from then on the client owes us something.
        transport.set_write_buffer_limits(high=0)
        if self not in self._books:
            self.drop()
        begun, self._begun = self._begun, b""
        self.data_received(begun)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the books, and leave nothing behind that keeps this object in memory."""
        self._books.remove(self)
        super().connection_lost(exc)
        self.app = self.config.loaded_app  # in place of a method of this object

    def data_received(self, data: bytes) -> None:
        """Take more of a request, or refuse it when it is too long."""
        if self not in self._books:
            return
        if self._is_idle:
            self._is_idle = False
            self._request_deadline = self.loop.time() + self._limits.request_seconds
        self._request_bytes += len(data)
        if self._request_bytes > self._limits.head_bytes + self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        before = self.conn.their_state
        if before is h11.MUST_CLOSE:
            return  # the client said that it would send no more: what it sends must not spoil the answer
        super().data_received(data)
        # The answer went out before the body had come, which has now.
        if before is h11.SEND_BODY and self.conn.their_state is h11.IDLE:
            self._end_exchange()
        self._note()

    def on_response_complete(self) -> None:
        """Begin the wait for the next request."""
        request_complete = self.conn.their_state is h11.DONE
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the books see to that
        if request_complete and not self.transport.is_closing():
            self._end_exchange()
        self._note()

    def pause_writing(self) -> None:
        """Begin the wait for the client to take its answer."""
        super().pause_writing()
        if self._answer_deadline is None:
            self._answer_deadline = self.loop.time() + self._limits.answer_seconds
        self._note()

    def resume_writing(self) -> None:
        """End that wait; the deadline stays as long as the answer lasts."""
        super().resume_writing()
        if not self._owes_answer():
            self._answer_deadline = None
        self._note()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse a faulty request; uvicorn calls this where it handles h11's error."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else HTTPStatus.BAD_REQUEST
        self._refuse(HTTPStatus(status))

    def _end_exchange(self) -> None:
        """Set the deadline for the next request, part of which may be here already."""
        rest, _ = self.conn.trailing_data
        self._request_bytes = len(rest)
        self._is_idle = self.conn.their_state is h11.IDLE and not rest
        if not self.flow.write_paused:
            self._answer_deadline = None
        self._request_deadline = self.loop.time() + (
            self._limits.keep_alive_seconds if self._is_idle else self._limits.request_seconds
        )

    def _note(self) -> None:
        """Enter in the books whom this connection waits for, if that has changed."""
        deadline = self._waits_until()
        if deadline == self._noted:
            return
        self._noted = deadline
        if deadline is None:
            self._books.work(self)
        else:
            self._books.wait(self, deadline)

    def _waits_until(self) -> float | None:
        """Until when the client has time for its part; None while it is our turn."""
        if self.flow.write_paused:
            return self._answer_deadline
        if self._owes_answer() and self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            return None
        return self._request_deadline

    def _owes_answer(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request that can't be served, if an answer is still possible, and end the connection."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._books.remove(self)
            self.drop()
            return
        if self._owes_answer():
            # The application waits for the rest of this request: let it take the client for gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        text = status.phrase.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"connection", b"close"),
        ]
        self._write(h11.Response(status_code=status, headers=headers, reason=text))
        if not (self._owes_answer() and self.scope["method"] == "HEAD"):
            self._write(h11.Data(data=text))
        self._write(h11.EndOfMessage())
        self.transport.close()

    def _write(self, event: h11.Event) -> None:
        self.transport.write(self.conn.send(event) or b"")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and send its answer in pieces so that none is copied as a whole for a slow client."""
        if _frames_ambiguously(scope):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return

        async def send_in_pieces(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_outdated():
                message = {**message, "headers": [*message.get("headers", ()), CLOSE_HEADER]}
            body: bytes = message.get("body", b"")
            size = self._limits.piece_bytes
            if len(body) <= size:
                await send(message)
                return
            for start in range(0, len(body), size):
                # Waited for here, so that only the piece before is in memory meanwhile.
                await self.flow.drain()
                if self.transport.is_closing():
                    return
                is_last = start + size >= len(body)
                more = not is_last or message.get("more_body", False)
                await send({**message, "body": body[start : start + size], "more_body": more})

        app = cast("ASGIApp", self.config.loaded_app)
        await app(scope, receive, send_in_pieces)


def _frames_ambiguously(scope: Scope) -> bool:
    """Whether a proxy in front might see another end of the request than h11 does (RFC 9112, section 6.1)."""
    framing = [name for name, _ in scope["headers"] if name in (b"content-length", b"transfer-encoding")]
    return len(framing) > 1 or (framing == [b"transfer-encoding"] and scope["http_version"] == "1.0")
