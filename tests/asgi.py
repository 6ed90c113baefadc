"""A client for ASGI applications, called directly: no socket, no server, the answer as the application gave it."""

import asyncio
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    """An answer; headers by their lowercase name."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: Exception | None = None
    """What the application raised, before or after it had answered."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def call(
    app: ASGIApp, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", body: bytes = b""
) -> Answer:
    """Send a request; the path may have a query, and stands in the request as it is given."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9191),
    }
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    async def request() -> None:
        await app(scope, receive, send)

    try:
        asyncio.run(request())
    except Exception as error:  # noqa: BLE001 - it's the test's to judge
        answer.error = error
    return answer
