"""A small application behind the real server, in a thread of this process, and a client that counts bytes."""

import asyncio
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.addresses import ListenAddress
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.server import serve
from exporter.web.sockets import bind
from tests.waiting import DEADLINE, wait_until

PAGE = b'fail2ban_jail_banned_ips{jail="sshd"} 1\n' * 500  # some 20 KB, as a scrape of ten jails
BIG_PAGE = bytes(range(256)) * 8192  # 2 MiB


def application() -> Starlette:
    """Routes that stand for the exporter's own, and some that misbehave."""

    async def page(_: Request) -> Response:
        return Response(PAGE, media_type="text/plain")

    async def big(_: Request) -> Response:
        return Response(BIG_PAGE, media_type="application/octet-stream")

    async def echo(request: Request) -> Response:
        return Response(await request.body())

    async def deaf(_: Request) -> Response:
        return PlainTextResponse("not read", status_code=403)

    async def broken(_: Request) -> Response:
        raise RuntimeError("broken")

    async def never(_: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    return Starlette(
        routes=[
            Route("/metrics", page),
            Route("/big", big),
            Route("/echo", echo, methods=["POST"]),
            Route("/deaf", deaf, methods=["POST"]),
            Route("/broken", broken),
            Route("/never", never),
        ]
    )


class Serving:
    """The server with its own event loop in a thread; ended with its block, whatever happened in it."""

    def __init__(
        self, app: ASGIApp | None = None, limits: Limits | None = None, security: Security | None = None
    ) -> None:
        self.sockets = bind([ListenAddress("127.0.0.1", 0)])
        self.port: int = self.sockets[0].getsockname()[1]
        self._app = app or application()
        self._limits = limits or Limits()
        self.security = security
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.close()

    def stop(self) -> float:
        """Tell the server to end and wait until it has; return how many seconds that took."""
        started = time.monotonic()
        self.call(self._stop.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return time.monotonic() - started

    def begin_stop(self) -> None:
        """Tell the server to end and wait until it accepts no more."""
        self.call(self._stop.set)
        wait_until(lambda: self.sockets[0].fileno() == -1, "the listening socket is closed")

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the server's event loop."""
        self._loop.call_soon_threadsafe(function)

    def client(self, receive_buffer: int | None = None, tls: ssl.SSLContext | None = None) -> "Client":
        """Connect to it."""
        return Client(self.port, receive_buffer, tls)

    def get(self, path: str, tls: ssl.SSLContext | None = None) -> "Answer":
        """GET a path on a connection of its own."""
        with self.client(tls=tls) as client:
            return client.get(path)

    def _run(self) -> None:
        self._loop.run_until_complete(serve(self._app, self.sockets, self._stop, self._limits, lambda: self.security))


@dataclass
class Answer:
    """An answer; headers by their lowercase name."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Client:
    """A connection to loopback on which every byte is the test's; with a context, TLS under it."""

    def __init__(self, port: int, receive_buffer: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            try:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
            except BaseException:
                self.socket.close()
                raise
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def get(self, path: str) -> Answer:
        """GET a path and take the answer."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return self.answer()

    def answer(self, *, has_body: bool = True) -> Answer:
        """Take one whole answer."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"]) if has_body else 0
        while len(self._received) < length:
            self._more()
        body, self._received = self._received[:length], self._received[length:]
        return Answer(int(first.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the server has ended the connection; takes what it has sent before that."""
        while select.select([self.socket], [], [], 0)[0]:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return True
            if not data:
                return True
            self._received += data
        return False

    def is_reset(self) -> bool:
        """Whether the server has cut the connection off; looks at no byte that it has sent."""
        poll = select.poll()
        poll.register(self.socket, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    def peek(self) -> bytes:
        """The beginning of what the server has sent and nobody has taken yet; waits until it has sent something."""
        return self.socket.recv(1024, socket.MSG_PEEK)

    def drip(self, data: bytes) -> None:
        """Send a little, which may come too late."""
        try:
            self.socket.send(data)
        except ConnectionError:
            return

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server ended the connection")
        self._received += data
