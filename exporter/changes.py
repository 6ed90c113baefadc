"""Log lines for changes of health: one event a change, none while all stays as it was."""

from __future__ import annotations

from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from exporter.health import Health, Recovery
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
    _log_recovery(log, before.recovery, after.recovery)
    if after.state is not before.state and probe is not None:
        write = getattr(log, _LEVELS.get(after.state, "warning"))
        write(f"fail2ban_{after.state}", **_details(after, probe))


def _log_recovery(log: FilteringBoundLogger, before: Recovery, after: Recovery) -> None:
    is_news, blamed = after.told != before.told, set(before.pending())
    for jail, kept in after.remembered.items():
        former = before.remembered.get(jail)
        if kept is former:
            continue
        # More that was told of one and the same activation is no news.
        if is_news and kept.activated is not None and (former is None or kept.activated != former.activated):
            log.info("jail_activated", jail=jail, timestamp_seconds=kept.activated)
        if kept.failures > (0 if former is None else former.failures):
            blamed.add(jail)
            log.error(
                "jail_blamed",
                jail=jail,
                reason="fail2ban went down after this jail was activated",
                remedy="disable or mend the jail, then start fail2ban",
            )
    if after.recoveries > before.recoveries:
        log.info("fail2ban_recovered", was_blamed=sorted(blamed))


def _details(health: Health, probe: Probe) -> dict[str, Any]:
    latency = {"latency_seconds": round(probe.duration, 6)}
    if health.state is State.ONLINE:
        return {**_server(probe), "jails": probe.jail_count, **latency}
    return {"result": str(probe.result), "reason": health.reason, **latency}


def _server(probe: Probe | None) -> dict[str, Any]:
    if probe is None or probe.server is None:
        return {}
    return {"version": probe.server.version, "pid": probe.server.pid}
