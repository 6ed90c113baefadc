"""The status page for people: plain HTML and CSS, no script, no external asset, every value escaped.

It is not reloaded by itself: that would throw a reader on a phone back to the top, and make a screen reader begin anew.
Whoever watches a host come back follows the link that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final
from urllib.parse import urlencode

from exporter import __version__, advice
from exporter.durations import format as format_duration
from exporter.model import State
from exporter.snapshot import Snapshot
from exporter.web.chart import latency_chart
from exporter.web.facts import facts
from exporter.web.icons import CROSS, FAVICON, MOOD, OF_STATE, SPRITE, TRIANGLE
from exporter.web.style import STYLE
from exporter.web.table import JailTable, Order, unlisted
from exporter.web.text import advice_html, age, count, name_html, plural, sentence, time_html

REFRESH_SECONDS: Final = 10
"""How often the page is loaded anew for those who ask for it."""
_MAX_BLAMED: Final = 20
"""How many of the jails that are blamed are named."""


@dataclass(frozen=True, slots=True)
class View:
    """How the page is to be shown, as its query says."""

    order: Order = field(default_factory=Order)
    refreshes: bool = False
    """Whether the browser loads it anew by itself."""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> View:
        """Return the view asked for; what is unknown falls back, and is never an error."""
        order = Order.from_query(query.get("sort"), query.get("order"))
        return cls(order, refreshes=query.get("refresh") == str(REFRESH_SECONDS))

    def link(self) -> str:
        """Return the address of this view, relative, so that it holds behind a proxy's prefix too."""
        query = {}
        if self.order != Order():
            query = {"sort": self.order.key, "order": "desc" if self.order.descending else "asc"}
        if self.refreshes:
            query["refresh"] = str(REFRESH_SECONDS)
        return f"./?{urlencode(query)}" if query else "./"


class StatusPage:
    """Renders the page; the rows of its table and its chart once for each snapshot. For one thread."""

    def __init__(self, telemetry_path: str) -> None:
        self._links = {
            telemetry_path: "Metrics",
            "/api/v1/status": "Status as JSON",
            "/-/healthy": "Health of the exporter",
            "/-/ready": "Readiness",
        }
        self._rendered: _Rendered | None = None

    def render(self, snapshot: Snapshot, view: View, now: float) -> str:
        """Return the page as HTML.

        Args:
            snapshot: what to show, as of now.
            view: how.
            now: UTC epoch seconds.
        """
        if self._rendered is None or self._rendered.snapshot is not snapshot:
            self._rendered = _Rendered(snapshot)
        parts = self._rendered
        state = snapshot.health.state
        return _PAGE.format(
            title=escape(_title(snapshot)),
            icon=FAVICON[state],
            style=STYLE,
            sprite=SPRITE,
            now=time_html(now),
            refresh=_refresh(view),
            state=_state(snapshot, now),
            pending=_pending(snapshot, now),
            concerns=_concerns(snapshot),
            facts=facts(snapshot, now),
            jails=parts.jails(view),
            latency=parts.latency,
            links="".join(f'<li><a href=".{escape(path)}">{text}</a></li>' for path, text in self._links.items()),
            version=escape(__version__),
        )


class _Rendered:
    """What of one snapshot's page takes time to render and stays."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.latency = _latency(snapshot)
        self._table = JailTable(snapshot)

    def jails(self, view: View) -> str:
        """Return the jails in the order of a view."""
        parts = [unlisted(self.snapshot)]
        if self._table:
            parts.append(self._table.html(view.order, lambda order: replace(view, order=order).link() + "#jails"))
        if not any(parts):
            parts.append(f"<p>{_no_jails(self.snapshot.health.state)}</p>")
        return "".join(parts)


def _title(snapshot: Snapshot) -> str:
    title = advice.headline(snapshot.health.state)
    if snapshot.health.recovery.pending():
        return f"{title}, recovery pending"
    concerns = len(advice.concerns(snapshot))
    return f"{title}, {plural(concerns, 'warning')}" if concerns else title


def _refresh(view: View) -> str:
    here, other = view.link(), replace(view, refreshes=not view.refreshes).link()
    offer = "Stop refreshing" if view.refreshes else f"Refresh every {REFRESH_SECONDS} s"
    return f'<a href="{escape(here)}">Refresh</a><a href="{escape(other)}">{offer}</a>'


def _state(snapshot: Snapshot, now: float) -> str:
    health = snapshot.health
    state, remedy = health.state, advice.remedy(snapshot)
    paragraphs = [f'<p class="lead">{advice.meaning(snapshot)}</p>']
    if state is not State.ONLINE:
        paragraphs.append(f"<p>{escape(sentence(health.reason))}</p>")
    if remedy and not health.recovery.pending():  # the notice below says more
        paragraphs.append(f"<p><strong>What to do:</strong> {advice_html(remedy)}</p>")
    if health.since is not None:
        paragraphs.append(f'<p class="quiet">For {age(health.since, now)}, since {time_html(health.since)}.</p>')
    return (
        f'<section class="state {MOOD[state]}" aria-labelledby="state">'
        f'<h1 id="state">{OF_STATE[state]}<span>{advice.headline(state)}</span></h1>{"".join(paragraphs)}</section>'
    )


def _pending(snapshot: Snapshot, now: float) -> str:
    recovery = snapshot.health.recovery
    jails = recovery.pending()
    if not jails:
        return ""
    items = []
    for jail in jails[:_MAX_BLAMED]:
        detected = recovery.remembered[jail].detected
        ago = "" if detected is None else f' <span class="quiet">{age(detected, now)} ago</span>'
        items.append(f"<li><bdi>{name_html(jail)}</bdi>{ago}</li>")
    if more := len(jails) - len(items):
        items.append(f"<li>and {count(more)} more</li>")
    which = "this jail was" if len(jails) == 1 else "these jails were"
    steps = "".join(f"<li>{advice_html(step)}</li>" for step in advice.RECOVERY_STEPS)
    return (
        f'<section class="notice bad" aria-labelledby="pending"><h2 id="pending">{CROSS}Recovery pending</h2>'
        f"<p>fail2ban went down after {which} activated:</p>"
        f'<ul class="names">{"".join(items)}</ul><ol>{steps}</ol></section>'
    )


def _concerns(snapshot: Snapshot) -> str:
    concerns = advice.concerns(snapshot)
    if not concerns:
        return ""
    items = "".join(f"<li><strong>{escape(each.problem)}</strong> {advice_html(each.remedy)}</li>" for each in concerns)
    return (
        f'<section class="notice unsure" aria-labelledby="concerns"><h2 id="concerns">{TRIANGLE}'
        f"{'Warning' if len(concerns) == 1 else 'Warnings'}</h2><ul>{items}</ul></section>"
    )


def _latency(snapshot: Snapshot) -> str:
    chart = latency_chart(snapshot.health.history)
    if not chart:
        return "<p>The first probe is under way.</p>"
    every = format_duration(snapshot.options.interval)
    return f'{chart}<p class="quiet">fail2ban is asked at least every {every}, and at once when its process ends.</p>'


def _no_jails(state: State) -> str:
    if state is State.ONLINE:
        return "No jail runs."
    return "None is known to be enabled." if state is State.OFFLINE else f"Not known while {advice.headline(state)}."


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - fail2ban-exporter</title>
<link rel="icon" href="{icon}">
<style>{style}</style>
</head>
<body>
{sprite}
<header>
<p class="brand">fail2ban-exporter</p>
<p class="quiet"><span>As of {now}</span>{refresh}</p>
</header>
<main>
{state}
{pending}{concerns}{facts}
<section>
<h2>Latency</h2>
{latency}
</section>
<section>
<h2 id="jails">Jails</h2>
{jails}
</section>
</main>
<footer>
<nav aria-label="Endpoints"><ul>{links}</ul></nav>
<p class="quiet">fail2ban-exporter {version}</p>
</footer>
</body>
</html>
"""
