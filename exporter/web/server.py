"""The HTTP server: uvicorn's protocol, with bounds on all that a client can use up."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from email.utils import formatdate

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from exporter.web.connection import Connection
from exporter.web.connections import Connections
from exporter.web.limits import Limits, descriptor_limit
from exporter.web.listener import Listener
from exporter.web.lobby import Lobby
from exporter.web.security import Security
from exporter.web.tls_stream import TlsStream

__all__ = ["Limits", "serve"]

_TICK_SECONDS = 0.25
_CALM_TICK_SECONDS = 1.0  # each wake-up costs, all day long
_CALM = 8
"""So many connections may last a second too long: a Prometheus or two and a browser, but no attack."""
_CANCEL_SECONDS = 0.25
_SILENT = logging.CRITICAL + 1
_DEFAULTS = Limits()


async def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    limits: Limits = _DEFAULTS,
    security: Callable[[], Security | None] = lambda: None,
) -> None:
    """Serve an application until told to stop, then end within `limits.shutdown_seconds` and half a second.

    Signals are the caller's: no handler is set or changed. Nothing is logged, what the application raises neither (it
    becomes a 500), so the application reports its own errors. With few file descriptors (RLIMIT_NOFILE) there are
    fewer connections than the limits allow.

    Args:
        app: An ASGI application; its lifespan is not run.
        sockets: Listening TCP sockets; closed when this ends.
        stop: Ends the server once it is set.
        limits: What clients may use up.
        security: Asked for each new connection: what secures it; None is plain HTTP. Connections that were secured
            otherwise end with their next answer.
    """
    await _Server(app, limits.within(descriptor_limit()), security).run(sockets, stop)


class _Server:
    def __init__(self, app: ASGIApp, limits: Limits, security: Callable[[], Security | None]) -> None:
        self._limits = limits
        self._security = security
        self._config = _configure(app, limits)
        self._state = ServerState()
        self._books: Connections[Connection] = Connections(limits.connections)
        self._loop = asyncio.get_running_loop()
        self._lobby = Lobby(self._loop, limits, self._enter, security, lambda: len(self._books))

    async def run(self, sockets: Sequence[socket.socket], stop: asyncio.Event) -> None:
        listeners = []
        self._tick()
        try:
            for sock in sockets:
                # Inherited by the sockets that it accepts.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._limits.receive_buffer_bytes)
                listeners.append(Listener(self._loop, sock, self._limits.turn, self))
            await stop.wait()
        finally:
            self._next_tick.cancel()
            for listener in listeners:
                listener.close()
            for sock in sockets:
                sock.close()
            self._lobby.close()
            await self._shut_down()

    def _enter(self, sock: socket.socket, begun: bytes, deadline: float, stream: TlsStream | None) -> None:
        # asyncio does so only where the listening socket was made with IPPROTO_TCP; without it each answer on a kept
        # connection takes 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer_bytes)
        security = stream.security if stream else None
        connection = Connection(self._config, self._state, self._books, self._limits, deadline)
        connection.open(sock, begun, stream, lambda: self._security() is not security)

    def has_place(self) -> bool:
        """As `Door` has it."""
        return self._lobby.has_place()

    def admit(self, sock: socket.socket) -> None:
        """As `Door` has it."""
        self._lobby.admit(sock)

    def make_room(self) -> None:
        """As `Door` has it."""
        self._lobby.make_room()
        self._books.drop_waiting((len(self._books) + 1) // 2)

    def _tick(self) -> None:
        is_calm = len(self._books) + len(self._lobby) <= _CALM
        self._next_tick = self._loop.call_later(_CALM_TICK_SECONDS if is_calm else _TICK_SECONDS, self._tick)
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        now = self._loop.time()
        self._lobby.drop_expired(now)
        self._books.drop_expired(now)

    async def _shut_down(self) -> None:
        """Let answers in progress end in their time, then cut off what is left."""
        end = self._loop.time() + self._limits.shutdown_seconds
        for connection in self._books:
            connection.shutdown()
        while self._books and self._loop.time() < end:  # noqa: ASYNC110 - the last of many to end sets no event
            await asyncio.sleep(0.01)
        self._books.drop_all()
        while self._state.connections:  # noqa: ASYNC110 - the same; it takes one turn of the event loop
            await asyncio.sleep(0)
        if tasks := list(self._state.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)


def _configure(app: ASGIApp, limits: Limits) -> Config:
    config = Config(
        app,
        interface="asgi3",
        loop="asyncio",
        http=Connection,
        ws="none",
        lifespan="off",
        workers=1,  # else an environment variable sets it
        proxy_headers=False,
        access_log=False,
        log_config=None,
        log_level=_SILENT,
        h11_max_incomplete_event_size=limits.head_bytes,
    )
    config.load()
    return config
