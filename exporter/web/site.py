"""The routes: each answers from the latest snapshot, and none ever waits for fail2ban."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.exposition import Exposition
from exporter.negotiation import accepts_gzip, choose_format
from exporter.snapshot import Snapshot
from exporter.status import status_document
from exporter.web.lifecycle import Lifecycle
from exporter.web.page import REFRESH_SECONDS, StatusPage, View
from exporter.web.style import CONTENT_SECURITY_POLICY

HEALTHY_PATH = "/-/healthy"
READY_PATH = "/-/ready"
STATUS_PATH = "/api/v1/status"

_MAX_NAMES = 100


@dataclass(frozen=True, slots=True)
class Site:
    """What the routes serve. All of it runs on the event loop's thread."""

    snapshot: Callable[[], Snapshot]
    exposition: Exposition
    telemetry_path: str
    lifecycle: Lifecycle
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    page: StatusPage = field(init=False)

    def __post_init__(self) -> None:
        """Make the page, which keeps what it has rendered."""
        object.__setattr__(self, "page", StatusPage(self.telemetry_path))

    def application(self) -> Starlette:
        """Return the ASGI application."""
        application = Starlette(
            routes=[
                Route("/", self._page),
                Route(self.telemetry_path, self._metrics),
                Route(STATUS_PATH, self._status),
                Route(HEALTHY_PATH, self._healthy),
                Route(READY_PATH, self._ready),
                *self.lifecycle.routes(),
            ],
            exception_handlers={404: _not_found, 405: _wrong_method, Exception: _failed},
        )
        # A redirect would echo the client's Host header, and no route has a twin with a slash.
        application.router.redirect_slashes = False
        return application

    def _current(self) -> Snapshot:
        return self.snapshot().as_of(self.clock())

    async def _metrics(self, request: Request) -> Response:
        form = choose_format(",".join(request.headers.getlist("accept")))
        compress = accepts_gzip(",".join(request.headers.getlist("accept-encoding")))
        names = request.query_params.getlist("name[]")[:_MAX_NAMES]
        body = self.exposition.render(form, compress=compress, names=names)
        headers = {"Content-Type": form.value, "Vary": "Accept, Accept-Encoding"}
        if compress:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _status(self, _: Request) -> Response:
        document = json.dumps(status_document(self._current()), allow_nan=False)
        return Response(document, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _page(self, request: Request) -> Response:
        view = View.from_query(request.query_params)
        html = self.page.render(self._current(), view, now=self.wall())
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        if view.refreshes:
            headers["Refresh"] = str(REFRESH_SECONDS)
        return HTMLResponse(html, headers=headers)

    async def _healthy(self, _: Request) -> Response:
        snapshot, now = self.snapshot(), self.clock()
        if now < snapshot.stale_at():
            return PlainTextResponse("the prober beats\n")
        return PlainTextResponse(f"the prober has not beaten for {now - snapshot.beat:.0f} s\n", status_code=503)

    async def _ready(self, _: Request) -> Response:
        if self.snapshot().health.last_probe is None:
            return PlainTextResponse("the first probe has not ended yet\n", status_code=503)
        return PlainTextResponse("a first probe has ended\n")


async def _not_found(_: Request, __: Exception) -> Response:
    return PlainTextResponse("nothing here; / lists what there is\n", status_code=404)


async def _wrong_method(_: Request, error: Exception) -> Response:
    headers = getattr(error, "headers", None)
    return PlainTextResponse("this path does not take this method\n", status_code=405, headers=headers)


async def _failed(request: Request, error: Exception) -> Response:
    structlog.get_logger().error("request_failed", path=request.url.path, exc_info=error)
    return PlainTextResponse("the exporter failed to answer; its log says why\n", status_code=500)
