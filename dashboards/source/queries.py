"""PromQL out of metric names, so that no selector can lack the dashboard's job and instance.

Only raw metrics: a dashboard that is imported by hand works without our recording rules.
"""

from __future__ import annotations

from typing import Final

HOST: Final = "job, instance"
"""The labels that tell one host from another."""
JAIL: Final = "job, instance, jail"

_CHOSEN: Final = ('job=~"$job"', 'instance=~"$instance"')

CANARY: Final = "fail2ban-exporter-canary"
ATTACKED: Final = f'jail!="{CANARY}"'
"""Leaves out the jail that bans the exporter's own synthetic attacker: its bans are no attacks."""

CHOSEN_JAIL: Final = 'jail=~"$jail"'

STATES: Final = ("online", "unknown", "inaccessible", "unresponsive", "offline")
"""fail2ban's states, from best to worst; the position is the state's number."""
GONE: Final = len(STATES)
"""The number that follows: the exporter itself does not answer, so nothing is known."""


def of(metric: str, *matchers: str) -> str:
    """Return the selector of a metric on the chosen hosts."""
    return f"{metric}{{{', '.join((*_CHOSEN, *matchers))}}}"


def rate(metric: str, *matchers: str) -> str:
    """Return a counter's growth a second."""
    return f"rate({of(metric, *matchers)}[$__rate_interval])"


def growth(metric: str, *matchers: str) -> str:
    """Return by how much a counter grew in each step of a graph."""
    return f"increase({of(metric, *matchers)}[$__rate_interval])"


def growth_in_range(metric: str, *matchers: str) -> str:
    """Return by how much a counter grew in the time that the dashboard shows: whole events, as people count them."""
    return f"round(increase({of(metric, *matchers)}[$__range]))"


def total(expr: str, by: str = "") -> str:
    """Return a sum, of everything or by labels."""
    return f"sum by ({by}) ({expr})" if by else f"sum({expr})"


def each(expr: str, by: str = HOST) -> str:
    """Return one sample for each host (or jail), without what other labels a scrape adds: tables join by these."""
    return f"max by ({by}) ({expr})"


def top(count: int, expr: str) -> str:
    """Return only the largest: what is drawn has to stay bounded for ten thousand hosts."""
    return f"topk({count}, {expr})"


def only(expr: str, chosen: str, by: str = HOST) -> str:
    """Return what an expression says of chosen hosts (or jails): the columns of a table have to agree on its rows."""
    return f"{expr} and on ({by}) {chosen}"


def of_exporter(expr: str) -> str:
    """Return what an expression says of exporters: ``process_*`` are the metrics of nearly everything else too."""
    return only(expr, of("fail2ban_exporter_build_info"))


def exporters_gone() -> str:
    """Return 1 for each host that is still a target and showed fail2ban in this time, and no longer answers; else 0.

    ``up`` alone would count the targets of every other job.
    """
    seen = f"last_over_time({of('fail2ban_up')}[$__range])"
    return f"(({of('up')} == bool 0) and on ({HOST}) {seen})"


def state_number() -> str:
    """Return the number of each host's state, as in ``STATES``."""
    shown = (of("fail2ban_state", f'fail2ban_state="{name}"') for name in STATES)
    return total(" or ".join(f"{number} * {selector}" for number, selector in enumerate(shown)), HOST)


def state_or_gone() -> str:
    """Return the same, and ``GONE`` for the hosts whose exporter no longer answers."""
    gone = each(f"{GONE} * ({exporters_gone()} == 1)")
    return f"({state_number()} or {gone})"


def probe_quantile(quantile: float) -> str:
    """Return how long that share of all probes took at most, in seconds."""
    return f"histogram_quantile({quantile}, {total(rate('fail2ban_probe_duration_seconds_bucket'), 'le')})"
