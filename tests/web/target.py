"""The server in a process of its own, with few descriptors: `python -m tests.web.target [WEB_CONFIG_FILE]`.

Prints its port. Of the file it takes the TLS settings.
"""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.addresses import ListenAddress
from exporter.web.limits import Limits
from exporter.web.security import Security
from exporter.web.server import serve
from exporter.web.sockets import bind
from tests.web.serving import application

DESCRIPTORS = 1024


def target() -> Starlette:
    """The usual routes, and one that takes the descriptors that the process has left, and may never answer."""
    app = application()
    taken: list[int] = []

    async def exhaust(request: Request) -> Response:
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            for _ in range(int(request.query_params.get("spare", "0"))):
                os.close(taken.pop())
        if "hold" in request.query_params:
            await asyncio.Event().wait()
        return PlainTextResponse(str(len(taken)))

    app.router.routes.append(Route("/exhaust", exhaust))
    return app


def secured(web_config: Path) -> Security | None:
    """Read the TLS settings."""
    from exporter.web.config.loading import load  # noqa: PLC0415 - without it the process is a third smaller

    return load(web_config).security


async def main() -> None:
    """Serve until SIGTERM."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    security = secured(Path(sys.argv[1])) if sys.argv[1:] else None
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sockets = bind([ListenAddress("127.0.0.1", 0)])
    print(sockets[0].getsockname()[1], flush=True)
    # With a send buffer as small as this loopback does not hide from the server that nobody reads. No attack under TLS
    # is of that kind, and there the last piece of an honest scraper's answer would wait 40 ms for room in it.
    limits = Limits() if security else Limits(send_buffer_bytes=4096)
    await serve(target(), sockets, stop, limits, lambda: security)


if __name__ == "__main__":
    asyncio.run(main())
