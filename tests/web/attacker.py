"""Many slow connections to a server on loopback, from a process of its own: `python -m tests.web.attacker KIND PORT`.

Each connection sends the beginning of a request, or of a TLS handshake, then a byte a second, or nothing, and never
reads. When it is cut it
comes back: those who make the server work for an answer half a second later, since at full speed they would be a flood
of requests; the others at once. Says "attacking" once all are connected; ends after a minute, or when its standard
input does, with a line that says how many connections were made and how many of them were cut.
"""

import json
import resource
import select
import socket
import ssl
import sys
import time
from collections import deque

CONNECTIONS = 1500
LONGEST = 60.0
_DRIP_SECONDS = 1.0


def client_hello(newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED, protocols: int = 0) -> bytes:
    """The first thing that a TLS client says; it may speak so many protocols, whose names take 251 bytes each."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = newest
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(["x" * 250] * protocols)
    outgoing = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError


_BEGINNINGS = {
    "heads": b"GET /metrics HTTP/1.1\r\nHost: test\r\nX-Slow: ",
    "bodies": b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10000\r\n\r\n",
    "readers": b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n" * 3,
    "silent": b"",
    "hellos": client_hello(),
    "old hellos": client_hello(ssl.TLSVersion.TLSv1_2),
    "half hellos": client_hello()[:50],
}
_DRIPS = {"heads": b"a", "bodies": b"a", "half hellos": b"a"}
_COME_BACK_SECONDS = {"readers": 0.5}


class Attack:
    """The connections of one process, driven by one epoll object so that the attacker is no slower than the server."""

    def __init__(self, kind: str, port: int) -> None:
        self.made = 0
        self.cut = 0
        self._beginning = _BEGINNINGS[kind]
        self._drip = _DRIPS.get(kind, b"")
        self._port = port
        self._epoll = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._due: dict[int, float] = {}
        self._come_back_seconds = _COME_BACK_SECONDS.get(kind, 0.0)
        self._coming_back: deque[float] = deque()
        self._refused = False

    def run(self) -> None:
        """Attack until standard input ends, the server has gone or a minute is over."""
        self._epoll.register(sys.stdin, select.EPOLLIN | select.EPOLLHUP)
        for _ in range(CONNECTIONS):
            self._connect()
        end = time.monotonic() + LONGEST
        announced = False
        while not self._refused and time.monotonic() < end:
            for fd, event in self._epoll.poll(0.05):
                if fd == sys.stdin.fileno():
                    return
                self._handle(fd, event)
            self._drip_all()
            while self._coming_back and self._coming_back[0] <= time.monotonic():
                self._coming_back.popleft()
                self._connect()
            if not announced and self.made > CONNECTIONS:
                announced = True
                print("attacking", flush=True)

    def _connect(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)  # noqa: FBT003 - the name of the method says it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect_ex(("127.0.0.1", self._port))
        self._connections[sock.fileno()] = sock
        self._epoll.register(sock, select.EPOLLOUT | select.EPOLLRDHUP)
        self.made += 1

    def _handle(self, fd: int, event: int) -> None:
        sock = self._connections[fd]
        if event & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
            self._refused = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111
            self.cut += 1
            del self._connections[fd]
            self._due.pop(fd, None)
            sock.close()
            self._coming_back.append(time.monotonic() + self._come_back_seconds)
        else:
            self._send(sock, self._beginning)
            self._due[fd] = time.monotonic() + _DRIP_SECONDS
            self._epoll.modify(fd, select.EPOLLRDHUP)

    def _drip_all(self) -> None:
        now = time.monotonic()
        for fd, due in self._due.items():
            if self._drip and due <= now:
                self._send(self._connections[fd], self._drip)
                self._due[fd] = now + _DRIP_SECONDS

    def _send(self, sock: socket.socket, data: bytes) -> None:
        try:
            sock.send(data)
        except OSError:
            return  # cut meanwhile: the next event says so


def main() -> None:
    """Attack as the command line says."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * CONNECTIONS), hard))
    attack = Attack(sys.argv[1], int(sys.argv[2]))
    attack.run()
    print(json.dumps({"made": attack.made, "cut": attack.cut}), flush=True)


if __name__ == "__main__":
    main()
