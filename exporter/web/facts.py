"""The figures at a glance: a short list of terms, of which only those that are known are shown."""

from __future__ import annotations

from html import escape

from exporter.snapshot import Snapshot
from exporter.web.text import age, count, milliseconds, plural


def facts(snapshot: Snapshot, now: float) -> str:
    """Return the figures that stand between the state and the jails, as of a UTC epoch time."""
    terms = {
        **_jails(snapshot),
        **_server(snapshot, now),
        **_probes(snapshot, now),
        **_canary(snapshot, now),
        **_ends(snapshot),
    }
    if not terms:
        return ""
    items = "".join(
        f"<div><dt>{term}</dt><dd>{figure}{f'<span class=quiet>{more}</span>' if more else ''}</dd></div>"
        for term, (figure, more) in terms.items()
    )
    return f'<dl class="facts">{items}</dl>'


def _jails(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    probe = snapshot.probe
    if probe is None or probe.jail_count is None:
        return {}
    missing = len(snapshot.missing_jails())
    terms = {"Jails running": (count(probe.jail_count), f"{count(missing)} not running" if missing else "")}
    # What the exporter does itself is no figure of the host's.
    attacked = "" if snapshot.canary is None else snapshot.canary.jail
    jails = [jail for jail in probe.jails if jail.name != attacked]
    if jails:
        bans = [snapshot.health.bans.of(jail.name) for jail in jails]
        known = [each for each in bans if each is not None]
        failures = sum(jail.failures for jail in jails)
        banned = sum(jail.banned for jail in jails)
        failing = sum(jail.failed for jail in jails)
        terms["Banned now"] = (
            count(banned),
            f"{plural(sum(known), 'ban')} since the start" if len(known) == len(bans) else "",
        )
        terms["Failing now"] = (count(failing), f"{plural(failures, 'failure')} since the start")
    return terms


def _server(snapshot: Snapshot, now: float) -> dict[str, tuple[str, str]]:
    server = None if snapshot.probe is None else snapshot.probe.server
    if server is None:
        return {}
    up = "" if server.start_time is None else f"up for {age(server.start_time, now)}"
    pid = "" if server.pid is None else f"process {server.pid}"
    return {"fail2ban": (escape(server.version), ", ".join(filter(None, (up, pid))))}


def _canary(snapshot: Snapshot, now: float) -> dict[str, tuple[str, str]]:
    latest = None if snapshot.canary is None else snapshot.canary.latest
    if latest is None:
        return {}
    ago = f"{age(latest.ended, now)} ago"
    if latest.delay is None:
        return {"Canary": ("not banned", ago)}
    return {"Canary": (f"banned in {milliseconds(latest.delay)}", ago)}


def _ends(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    kinds = [f"{count(number)} {kind}" for kind, number in snapshot.health.exits.items() if number]
    return {"Ends seen": (", ".join(kinds), "of the server's process")} if kinds else {}


def _probes(snapshot: Snapshot, now: float) -> dict[str, tuple[str, str]]:
    health = snapshot.health
    terms = {}
    if health.last_success is not None and health.consecutive_failures:
        terms["Last answered"] = (
            f"{age(health.last_success, now)} ago",
            f"{plural(health.consecutive_failures, 'failed probe')} since",
        )
    if health.last_probe is not None:
        ago = f"{age(health.last_probe, now)} ago"
        took = "" if snapshot.probe is None else f"took {milliseconds(snapshot.probe.duration)}"
        terms["Latest probe"] = (ago, took)
    return terms
