"""What every request passes before it reaches a route: rate limit, headers, password."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.config.model import RateLimit, WebConfig
from exporter.web.config.passwords import BusyError, Passwords

_SCHEME = "basic"


class Guard:
    """An application around another one, which it guards as the web config in force says."""

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        refused: Callable[[], None],
        passwords: Passwords,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Guard an application.

        Args:
            app: The application.
            config: Asked for each request.
            refused: Called for each request that is refused with 401.
            passwords: Checks them.
            clock: For the rate limit.
        """
        self._app = app
        self._config = config
        self._refused = refused
        self._passwords = passwords
        self._clock = clock
        self._bucket = Bucket(RateLimit(), 0.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        config = self._config()
        if config.headers:
            send = _with_headers(config.headers, send)
        answer = await self._refusal(config, scope)
        await (answer or self._app)(scope, receive, send)

    async def _refusal(self, config: WebConfig, scope: Scope) -> ASGIApp | None:
        if config.rate_limit != self._bucket.limit:
            self._bucket = Bucket(config.rate_limit, self._clock())
        if not self._bucket.take(self._clock()):
            return _busy("too many requests\n")
        if not config.users:
            return None
        try:
            if await self._is_known(config, scope):
                return None
        except BusyError:
            return _busy("too many passwords to check\n")
        self._refused()
        return PlainTextResponse("unauthorized\n", status_code=401, headers={"WWW-Authenticate": "Basic"})

    async def _is_known(self, config: WebConfig, scope: Scope) -> bool:
        credentials = _credentials(Headers(scope=scope).getlist("authorization"))
        if credentials is None:
            return False
        address = (scope.get("client") or ("",))[0]
        return await self._passwords.check(config.users, *credentials, address)


class Bucket:
    """A token bucket: a request takes a token, and one grows back every interval, up to the burst."""

    def __init__(self, limit: RateLimit, now: float) -> None:
        """Begin full.

        Args:
            limit: How fast tokens grow back, and how many there can be.
            now: On the clock that `take` is asked by, in seconds.
        """
        self.limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        if not self.limit.interval:
            return True
        self._tokens = min(self.limit.burst, self._tokens + (now - self._at) / self.limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _busy(text: str) -> ASGIApp:
    return PlainTextResponse(text, status_code=429, headers={"Retry-After": "1"})


def _credentials(headers: list[str]) -> tuple[str, bytes] | None:
    """Take apart the one header ``Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==``; None for anything else."""
    if len(headers) != 1:
        return None
    scheme, _, encoded = headers[0].strip().partition(" ")
    if scheme.lower() != _SCHEME:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


def _with_headers(headers: tuple[tuple[bytes, bytes], ...], send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            names = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [each for each in headers if each[0] not in names]}
        await send(message)

    return send_with_headers
