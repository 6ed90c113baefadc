"""What stands for the person who is woken: a webhook that keeps what an Alertmanager sends."""

import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.waiting import wait_until


@dataclass(frozen=True)
class Notification:
    """One alert of one message.

    Attributes:
        received: Seconds since the epoch.
        receiver: The name of the receiver in Alertmanager's configuration.
        status: `firing` or `resolved`.
        labels: With `alertname`.
        annotations: As rendered.
        starts_at: When it began to fire, in seconds since the epoch.
    """

    received: float
    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: float

    def is_of(self, alert: str, **labels: str) -> bool:
        """Whether it is of this alert, with at least these labels."""
        return ({"alertname": alert} | labels).items() <= self.labels.items()


class Webhook:
    """Listens on loopback, in a thread of its own, until its block ends."""

    def __init__(self) -> None:
        self._notifications: list[Notification] = []
        notifications = self._notifications

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                notifications.extend(_notifications(json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the test's output for what it says itself."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def received(self, since: float = 0.0) -> list[Notification]:
        """What came, in order; from a moment on."""
        return [notification for notification in list(self._notifications) if notification.received >= since]

    def wait_for(self, status: str, alert: str, since: float, **labels: str) -> Notification:
        """Wait for a notification of an alert that began to fire after a moment, and return the first that fits."""

        def fitting() -> list[Notification]:
            return [
                one
                for one in self.received(since)
                if one.status == status and one.starts_at >= since and one.is_of(alert, **labels)
            ]

        wait_until(
            lambda: bool(fitting()),
            lambda: f"{alert} {labels} is {status}; came: {[(n.status, n.labels) for n in self.received(since)]}",
        )
        return fitting()[0]


def _notifications(message: dict[str, Any]) -> list[Notification]:
    return [
        Notification(
            received=time.time(),
            receiver=message["receiver"],
            status=alert["status"],
            labels=alert["labels"],
            annotations=alert["annotations"],
            starts_at=datetime.fromisoformat(alert["startsAt"]).timestamp(),
        )
        for alert in message["alerts"]
    ]
