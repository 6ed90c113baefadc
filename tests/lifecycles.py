"""A lifecycle for sites to test with: what the routes that act would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from exporter.snapshot import Snapshot
from exporter.web.lifecycle import Lifecycle


def lifecycle(
    probe: Callable[[], Future[Snapshot]] = Future,
    report: Callable[[str, float | None], None] = lambda _jail, _at: None,
    reload: Callable[[], Sequence[str]] = tuple,
    *,
    is_enabled: bool = False,
    probe_timeout: float = 10.0,
) -> Lifecycle:
    """A lifecycle that is turned off, and does nothing if it is on: no probe ever ends."""
    return Lifecycle(
        is_enabled=is_enabled,
        probe=probe,
        shown=lambda probed: probed,
        report=report,
        reload=reload,
        probe_timeout=probe_timeout,
    )
