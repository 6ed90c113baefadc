"""The routes that make the exporter do something. Off by default: 403 then."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from exporter.snapshot import Snapshot
from exporter.status import status_document

_MAX_NAME_LENGTH: Final = 1_000
_PATIENCE_SECONDS: Final = 5.0
_OWN: Final = frozenset({"same-origin", "none"})


class _BadRequestError(Exception):
    """The body is not what the route takes; its text says what is."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the routes do. They run on the event loop's thread."""

    is_enabled: bool
    probe: Callable[[], Future[Snapshot]]
    """Probes at once; the future is the snapshot of it."""
    shown: Callable[[Snapshot], Snapshot]
    """Joins to that what is no part of a probe."""
    report: Callable[[str, float | None], None]
    """Takes a jail that was activated, and when, in UTC epoch seconds."""
    reload: Callable[[], Sequence[str]]
    """Reads the settings again; returns their faults, none if they are in force."""
    probe_timeout: float
    """Seconds that one probe may take; one that is under way has to end before another starts."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/-/probe", self._guarded(self._probe), methods=["POST"]),
            Route("/-/activations", self._guarded(self._activation), methods=["POST"]),
            Route("/-/reload", self._guarded(self._reload), methods=["POST"]),
        ]

    def _guarded(self, act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not self.is_enabled:
                return PlainTextResponse("turned off; --web.enable-lifecycle turns it on\n", status_code=403)
            # A page of another site must not act through the browser of somebody who can reach this one.
            if _is_foreign(request.headers):
                return PlainTextResponse("not from a page of another site\n", status_code=403)
            try:
                return await act(request)
            except _BadRequestError as error:
                return PlainTextResponse(f"{error}\n", status_code=400)

        return endpoint

    async def _probe(self, _: Request) -> Response:
        asked = asyncio.wrap_future(self.probe())
        try:
            snapshot = await asyncio.wait_for(asked, 2 * self.probe_timeout + _PATIENCE_SECONDS)
        except TimeoutError:
            return PlainTextResponse("no probe has ended in time; /-/healthy says more\n", status_code=504)
        return JSONResponse(status_document(self.shown(snapshot)))

    async def _activation(self, request: Request) -> Response:
        jail, at = _activation(await request.body())
        self.report(jail, at)
        return JSONResponse({"jail": jail, "at": at}, status_code=202)

    async def _reload(self, _: Request) -> Response:
        faults = self.reload()
        if faults:
            text = "".join(f"{fault}\n" for fault in faults)
            return PlainTextResponse(f"the old settings stay:\n{text}", status_code=500)
        return PlainTextResponse("reloaded\n")


def _is_foreign(headers: Headers) -> bool:
    """Tell whether a browser sends this for a page of another site; over plain HTTP it may tell the origin alone."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in _OWN
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _activation(body: bytes) -> tuple[str, float | None]:
    """Take apart ``{"jail": "sshd", "at": 1700000000.0}``, where ``at`` may be left out."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise _BadRequestError("the body is not JSON") from None
    if not isinstance(document, dict) or not document.keys() <= {"jail", "at"}:
        raise _BadRequestError('the body is not an object with "jail" and, if wanted, "at"')
    jail, at = document.get("jail"), document.get("at")
    if not isinstance(jail, str) or not 0 < len(jail) <= _MAX_NAME_LENGTH or not _is_unicode(jail):
        raise _BadRequestError(f'"jail" is not a name of up to {_MAX_NAME_LENGTH} characters')
    if at is None:
        return jail, None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < 1e11 or math.isnan(at):  # noqa: PLR2004
        raise _BadRequestError('"at" is not a time in seconds since the epoch')
    return jail, float(at)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
