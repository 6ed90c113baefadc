"""What the exporter's scrapes are compared with: a plain registry on its own server, and the bare web server."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Receive, Scope, Send

from exporter.addresses import ListenAddress
from exporter.web.server import serve
from exporter.web.sockets import bind


def registry(exposition: str) -> CollectorRegistry:
    """Return a registry of gauges with as many series as an exposition, of the same names and labels."""
    made = CollectorRegistry()
    for family in text_string_to_metric_families(exposition):
        gauges: dict[str, Gauge] = {}
        for sample in family.samples:
            if sample.name not in gauges:
                # Its own suffixes are not a gauge's to have.
                name = f"plain_{sample.name}_"
                gauges[sample.name] = Gauge(name, family.documentation, list(sample.labels), registry=made)
            gauge = gauges[sample.name]
            (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)
    return made


def serve_registry(exposition: str) -> int:
    """Serve it as the library does; return the port."""
    server, _ = start_http_server(0, "127.0.0.1", registry(exposition))
    return server.server_port


def serve_bare(body: bytes) -> int:
    """Serve constant bytes with the exporter's own web server and no framework; return the port."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]

    async def constant(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    sockets = bind((ListenAddress("127.0.0.1", 0),))
    thread = threading.Thread(target=lambda: asyncio.run(serve(constant, sockets, asyncio.Event())), daemon=True)
    port: int = sockets[0].getsockname()[1]
    thread.start()
    return port


def main() -> None:
    """Serve until standard input ends; the port is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("kind", choices=["registry", "bare"], help="which one to serve")
    parser.add_argument("exposition", type=Path, help="a file with what the exporter serves")
    arguments = parser.parse_args()
    text = arguments.exposition.read_bytes()
    port = serve_registry(text.decode()) if arguments.kind == "registry" else serve_bare(text)
    print(port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
