"""The process that asks fail2ban for its bans, looks them up, prints the counts, and ends, and with it the addresses.

A process, since reading a corrupt database can crash the library, since 100,000 addresses take a second of CPU and
30 MB that the exporter is not to spend, and since memory that no process has holds no address. It reads one request,
``{"task": "count", …}`` or ``{"task": "inspect", …}``, as JSON from standard input and prints one reply.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, Final

from exporter.fail2ban import Bulk, ProbeError
from exporter.geoip import tally

SECONDS: Final = {"count": 60.0, "inspect": 8.0}
"""In which a task has to be done, besides waiting for fail2ban: a database can be made to take for ever.

For two that are inspected one after the other a reload waits, in far less time than systemd's watchdog has patience.
"""
MAX_MEMORY: Final = 2**30
"""Bytes of address space: the largest database, the largest reply of fail2ban, and Python."""
MAX_OUTPUT: Final = 16 * 1024 * 1024
"""Bytes that it prints at most; three tables of `tally.MAX_ROWS` of jails with long names take less."""
_POLITENESS: Final = 10


def main() -> None:
    """Do what standard input asks for. Nothing of it is ever printed but counts and reasons."""
    request = json.load(sys.stdin)
    _bound(SECONDS[request["task"]] + request["timeout"])
    try:
        reply = _inspected(request) if request["task"] == "inspect" else _counted(request)
    except Exception as error:  # noqa: BLE001  # its text may hold an address
        reply = {"fault": "unexpected", "reason": f"the count broke: {type(error).__name__}"}
    sys.stdout.write(json.dumps(reply))


def _bound(seconds: float) -> None:
    """See to it that this process ends, whatever the database makes of it, and leaves no dump of its memory."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    limits = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_FSIZE, MAX_OUTPUT))
    for what, most in limits:
        with suppress(OSError, ValueError):  # systemd's unit may not let it
            resource.setrlimit(what, (most, most))
    with suppress(OSError):
        os.nice(_POLITENESS)


def _opened(request: dict[str, Any]) -> list[Any]:
    if not request["databases"]:
        return []
    from exporter.geoip.reader import Database  # noqa: PLC0415  # its library is an extra

    return [Database.open(kind, descriptor) for kind, descriptor in request["databases"].items()]


def _inspected(request: dict[str, Any]) -> dict[str, Any]:
    try:
        from exporter.geoip.reader import UnusableDatabaseError  # noqa: PLC0415  # as above
    except ImportError:
        return {"fault": "not_installed"}
    try:
        (database,) = _opened(request)
        return {"built_at": database.inspect()}
    except UnusableDatabaseError as error:
        return {"fault": "unusable", "reason": str(error)}


def _counted(request: dict[str, Any]) -> dict[str, Any]:
    databases = _opened(request)
    try:
        with Bulk(request["socket"], request["timeout"]) as fail2ban:
            bans = fail2ban.banned()
    except ProbeError as error:
        return {"fault": "fail2ban_silent", "reason": str(error)}
    tables = tally.count(bans, {database.kind: database.label for database in databases})
    limits = {"country": None, "asn": request["asn_limit"]}
    return {
        "tables": {
            name: tally.bounded(table, limits[name]) if name in limits else table for name, table in tables.items()
        },
        "faulty_lookups": {database.kind: database.faulty_lookups for database in databases},
    }
