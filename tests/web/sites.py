"""The application in front of a snapshot, asked without a server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client.core import Metric
from starlette.applications import Starlette

from exporter.exposition import Exposition
from exporter.snapshot import Snapshot
from exporter.web.site import Site
from tests.asgi import Answer, call
from tests.lifecycles import lifecycle
from tests.snapshots import FOREVER, TIMESTAMP, jail, snapshot, success

ONLINE: Final = snapshot(success(jail("sshd"), FOREVER))
ROUTES: Final = ("/", "/metrics", "/api/v1/status", "/-/healthy", "/-/ready")


class NothingOwn:
    """No metrics of the exporter's own."""

    def collect(self) -> Iterable[Metric]:
        """None."""
        return []


def site(shown: Snapshot, now: float = 1.0, telemetry_path: str = "/metrics", wall: float = TIMESTAMP) -> Starlette:
    """The application, showing a snapshot at a time."""
    exposition = Exposition(lambda: shown, NothingOwn(), lambda: now)
    return Site(lambda: shown, exposition, telemetry_path, lifecycle(), lambda: now, lambda: wall).application()


def get(path: str, shown: Snapshot = ONLINE, headers: dict[str, str] | None = None, *, now: float = 1.0) -> Answer:
    """The answer to a GET; nothing may have been raised."""
    answer = call(site(shown, now), path, headers)
    assert answer.error is None
    return answer
