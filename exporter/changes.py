"""Log lines for changes of health: one event a change, none while all stays as it was."""

from __future__ import annotations

from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from exporter.health import Health
from exporter.model import Probe, State

_LEVELS: Final = {State.ONLINE: "info", State.INACCESSIBLE: "error"}


def log_changes(log: FilteringBoundLogger, before: Health, after: Health, probe: Probe | None) -> None:
    """Log what differs between two healths: exits, restarts, and the state with its reason.

    Args:
        log: where to.
        before: health before the events of one turn.
        after: health after them.
        probe: the latest probe.
    """
    for kind, number in after.exits.items():
        if number > before.exits[kind]:
            log.warning("fail2ban_exited", kind=str(kind))
    if after.restarts > before.restarts:
        log.warning("fail2ban_restarted", **_server(probe))
    if after.state is not before.state and probe is not None:
        write = getattr(log, _LEVELS.get(after.state, "warning"))
        write(f"fail2ban_{after.state}", **_details(after, probe))


def _details(health: Health, probe: Probe) -> dict[str, Any]:
    latency = {"latency_seconds": round(probe.duration, 6)}
    if health.state is State.ONLINE:
        return {**_server(probe), "jails": probe.jail_count, **latency}
    return {"result": str(probe.result), "reason": health.reason, **latency}


def _server(probe: Probe | None) -> dict[str, Any]:
    if probe is None or probe.server is None:
        return {}
    return {"version": probe.server.version, "pid": probe.server.pid}
