"""The whole fleet on one port of loopback: `/host-00007/metrics` is one host, `/targets` lists them for Prometheus.

`POST /trouble` lets trouble begin. One process, one event loop, a connection kept open for each that asks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final

from exporter.negotiation import accepts_gzip, choose_format
from tests.fleet.hosts import SimulatedHost

_HEAD_END: Final = b"\r\n\r\n"


class FleetServer:
    """Answers for all hosts.

    Args:
        hosts: The hosts.
    """

    def __init__(self, hosts: Iterable[SimulatedHost]) -> None:
        self._hosts = {f"/{host.name}/metrics": host for host in hosts}
        self._port = 0

    async def serve(self, ended: asyncio.Future[None]) -> None:
        """Listen, print the port as a line, and answer until told to end."""
        listening = await asyncio.start_server(self._converse, "127.0.0.1", 0, backlog=1024)
        self._port = listening.sockets[0].getsockname()[1]
        print(self._port, flush=True)
        await ended
        listening.close()

    def targets(self) -> list[dict[str, Any]]:
        """What HTTP service discovery is told: one address, and a path and an `instance` for each host."""
        return [
            {
                "targets": [f"127.0.0.1:{self._port}"],
                "labels": {"__metrics_path__": path, "instance": f"{host.name}.example:9191"},
            }
            for path, host in self._hosts.items()
        ]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(_HEAD_END)).decode("latin-1")
                answer = self._answer(head)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it is done asking
        finally:
            writer.close()

    def _answer(self, head: str) -> bytes | None:
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = request.split(" ", 2)
        if (method, path) == ("POST", "/trouble"):
            for host in self._hosts.values():
                host.begin_trouble()
            return _response("200 OK", "text/plain", b"")
        if path == "/targets":
            return _response("200 OK", "application/json", json.dumps(self.targets()).encode())
        if path in self._hosts:
            return _scrape(self._hosts[path], headers)
        return _response("404 Not Found", "text/plain", b"")


def _scrape(host: SimulatedHost, headers: dict[str, str]) -> bytes | None:
    form = choose_format(headers.get("accept", ""))
    compress = accepts_gzip(headers.get("accept-encoding", ""))
    body = host.scrape(form, compress=compress)
    return None if body is None else _response("200 OK", form.value, body, "Content-Encoding: gzip" if compress else "")


def _response(status: str, kind: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *filter(None, headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
