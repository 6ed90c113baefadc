"""The status page for people: plain HTML and CSS, no script, no external asset, every value escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from html import escape
from typing import Final

from exporter import __version__
from exporter.durations import format as format_duration
from exporter.model import Jail, State
from exporter.snapshot import Snapshot

_SAYING: Final = {
    State.ONLINE: "fail2ban is online",
    State.OFFLINE: "fail2ban is offline: nothing guards this host",
    State.UNRESPONSIVE: "fail2ban does not answer",
    State.INACCESSIBLE: "fail2ban can't be asked",
    State.UNKNOWN: "nothing is known of fail2ban",
}
_SIGN: Final = {
    State.ONLINE: "✔",
    State.OFFLINE: "✘",
    State.UNRESPONSIVE: "✘",
    State.INACCESSIBLE: "?",
    State.UNKNOWN: "?",
}

_STYLE: Final = """
:root { color-scheme: light dark; --good: #17692d; --bad: #a4161a; --unsure: #7a4b00; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --good: #6fd08c; --bad: #ff8a8a; --unsure: #f0b860; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
.online { color: var(--good); } .offline, .unresponsive, .down { color: var(--bad); }
.inaccessible, .unknown { color: var(--unsure); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; min-width: 8rem; }
td:first-child { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
th:nth-child(2), td:nth-child(2) { text-align: left; }
nav { margin-top: 1.5rem; }
.pending { border: 2px solid var(--bad); border-radius: .4rem; padding: .5rem .75rem; }
nav a { display: inline-block; margin-right: 1rem; }
@media (max-width: 40rem) { th, td { padding: .35rem .4rem; } }
"""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
"""Allows this page's own style sheet and nothing else."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - fail2ban-exporter</title>
<style>{style}</style>
</head>
<body>
<main>
<h1 class="{state}"><span aria-hidden="true">{sign}</span> {title}</h1>
{pending}<p>{since}{reason}</p>
<p>{probe}</p>
{jails}
</main>
<nav aria-label="Endpoints">{links}</nav>
<footer><p>fail2ban-exporter {version}</p></footer>
</body>
</html>
"""


def status_page(snapshot: Snapshot, telemetry_path: str, now: float) -> str:
    """Return the page as HTML.

    Args:
        snapshot: what to show, as of now.
        telemetry_path: where the metrics are.
        now: UTC epoch seconds.
    """
    health = snapshot.health
    links = {
        telemetry_path: "Metrics",
        "/api/v1/status": "Status as JSON",
        "/-/healthy": "Health of the exporter",
        "/-/ready": "Readiness",
    }
    return _PAGE.format(
        title=escape(_SAYING[health.state]),
        style=_STYLE,
        state=escape(health.state),
        sign=_SIGN[health.state],
        pending=_pending(snapshot),
        since="" if health.since is None else f"For {_ago(health.since, now)}. ",
        reason=escape(_reason(snapshot)),
        probe=escape(_probe(snapshot, now)),
        jails=_jails(snapshot),
        links="".join(f'<a href="{escape(path)}">{escape(text)}</a>' for path, text in links.items()),
        version=escape(__version__),
    )


def _pending(snapshot: Snapshot) -> str:
    jails = snapshot.health.recovery.pending()
    if not jails:
        return ""
    names = ", ".join(f"<strong><bdi>{escape(jail)}</bdi></strong>" for jail in jails)
    one = len(jails) == 1
    return (
        f'<p class="pending" role="alert">fail2ban went down after {"this jail was" if one else "these jails were"} '
        f"activated: {names}. Disable or mend {'it' if one else 'them'}, then start fail2ban.</p>\n"
    )


def _reason(snapshot: Snapshot) -> str:
    server = None if snapshot.probe is None else snapshot.probe.server
    if server is None:
        reason = snapshot.health.reason
        return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('?') else '.'}"
    process = "" if server.pid is None else f", process {server.pid}"
    return f"Version {server.version}{process}."


def _probe(snapshot: Snapshot, now: float) -> str:
    health = snapshot.health
    if health.last_probe is None:
        return "The first probe is under way."
    took = "" if snapshot.probe is None else f" and took {snapshot.probe.duration * 1000:.1f} ms"
    every = format_duration(snapshot.options.interval)
    return f"The latest probe ended {_ago(health.last_probe, now)} ago{took}. One is made at least every {every}."


def _ago(then: float, now: float) -> str:
    seconds = max(0, int(now - then))
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            return _plural(seconds // unit, name)
    return _plural(seconds, "second")


def _plural(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _jails(snapshot: Snapshot) -> str:
    running = () if snapshot.probe is None else snapshot.probe.jails
    rows = [_missing_row(name) for name in snapshot.missing_jails()] + [_row(jail) for jail in running]
    if untold := snapshot.untold_jails():
        return f"<p>Jails that run: {untold:,}. This version of fail2ban does not tell their names apart.</p>"
    if not rows:
        return "<p>No jail runs.</p>" if snapshot.health.state is State.ONLINE else ""
    heads = ("Jail", "State", "Banned now", "Bans", "Failing now", "Failures", "Ban time")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<div class="scroll" role="region" aria-label="Jails" tabindex="0"><table><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(jail: Jail) -> str:
    counts = (jail.banned, jail.bans, jail.failed, jail.failures)
    cells = "".join(f"<td>{count:,}</td>" for count in counts)
    return f"<tr><td>{escape(jail.name)}</td><td>running</td>{cells}<td>{_ban_time(jail)}</td></tr>"


def _missing_row(name: str) -> str:
    return f'<tr><td>{escape(name)}</td><td class="down">expected, not running</td>{"<td></td>" * 5}</tr>'


def _ban_time(jail: Jail) -> str:
    seconds = None if jail.settings is None else jail.settings.ban_time
    if seconds is None:
        return ""
    return "permanent" if math.isinf(seconds) else escape(format_duration(seconds))
