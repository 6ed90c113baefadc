"""The status as a JSON document: what a user interface needs without touching fail2ban."""

from __future__ import annotations

import math
from typing import Any

from exporter import __version__, advice
from exporter.health import Canary
from exporter.model import Jail, JailLogFiles, Server
from exporter.snapshot import Snapshot


def status_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as plain values that JSON can hold.

    Seconds and bytes as their keys say, timestamps in UTC epoch seconds. What is not known is ``null``; a ban time that
    is infinite is ``null`` too, with ``"permanent": true``.
    """
    health, probe, options = snapshot.health, snapshot.probe, snapshot.options
    log_files = {found.jail: found for found in snapshot.log_files()}
    database = snapshot.files if probe is not None and probe.server is not None else None
    return {
        "state": str(health.state),
        "since_timestamp_seconds": health.since,
        "reason": health.reason,
        "remedy": advice.remedy(snapshot),
        "concerns": [{"problem": concern.problem, "remedy": concern.remedy} for concern in advice.concerns(snapshot)],
        "server": None if probe is None or probe.server is None else _server(probe.server),
        "jail_count": None if probe is None else probe.jail_count,
        "jails": [
            _jail(jail, health.bans.of(jail.name), log_files.get(jail.name))
            for jail in ([] if probe is None else probe.jails)
        ]
        + [{"name": name, "up": False} for name in snapshot.missing_jails()],
        "probe": {
            "result": None if probe is None else str(probe.result),
            "duration_seconds": None if probe is None else probe.duration,
            "last_timestamp_seconds": health.last_probe,
            "last_success_timestamp_seconds": health.last_success,
            "consecutive_failures": health.consecutive_failures,
            "interval_seconds": options.interval,
            "timeout_seconds": options.timeout,
        },
        "pending_recoveries": [
            {"jail": jail, "detected_timestamp_seconds": health.recovery.remembered[jail].detected}
            for jail in health.recovery.pending()
        ],
        "recoveries": health.recovery.recoveries,
        "server_exits": {str(kind): number for kind, number in health.exits.items()},
        "server_restarts": health.restarts,
        "database_size_bytes": None if database is None else database.database_bytes,
        "database_bans": None if database is None else database.database_bans,
        "canary": None if snapshot.canary is None else _canary(snapshot.canary),
        "exporter": {"version": __version__},
    }


def _canary(canary: Canary) -> dict[str, Any]:
    latest = canary.latest
    return {
        "up": canary.is_up,
        "result": None if latest is None else str(latest.result),
        "reason": None if latest is None else latest.reason,
        "last_timestamp_seconds": None if latest is None else latest.ended,
        "last_success_timestamp_seconds": canary.last_success,
        "last_ban_delay_seconds": canary.last_delay,
        "interval_seconds": canary.interval,
        "timeout_seconds": canary.timeout,
    }


def _server(server: Server) -> dict[str, Any]:
    return {"version": server.version, "pid": server.pid, "start_time_seconds": server.start_time}


def _jail(jail: Jail, bans: int | None, found: JailLogFiles | None) -> dict[str, Any]:
    settings = jail.settings
    permanent = settings is not None and settings.ban_time is not None and math.isinf(settings.ban_time)
    return {
        "name": jail.name,
        "up": True,
        "banned_ips": jail.banned,
        "bans_total": bans,
        "bans_with_restored_total": jail.bans,
        "failed_ips": jail.failed,
        "failures_total": jail.failures,
        "ban_time_seconds": None if settings is None or permanent else settings.ban_time,
        "permanent": permanent,
        "find_time_seconds": None if settings is None else settings.find_time,
        "max_retries": None if settings is None else settings.max_retries,
        "actions": None if settings is None else settings.actions,
        "backend": jail.backend,
        "log_files": None if jail.log_files is None else len(jail.log_files),
        "log_files_missing": None if found is None else found.missing,
        "log_last_modified_timestamp_seconds": None if found is None else found.last_modified,
    }
