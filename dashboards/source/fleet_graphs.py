"""The graphs of the dashboard *fleet*: attacks, changes, probes and versions over all hosts."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from dashboards.source.panels import Caption, PanelBuilder, Query, bars, events, graph
from dashboards.source.queries import (
    ATTACKED,
    HOST,
    each,
    growth,
    growth_in_range,
    of,
    probe_quantile,
    rate,
    top,
    total,
)

_LINES: Final = 10
_POINTS: Final = 100


def attacks() -> list[PanelBuilder]:
    """Return the graphs of bans and failures."""
    bans, failures = rate("fail2ban_jail_bans_total", ATTACKED), rate("fail2ban_jail_failures_total", ATTACKED)
    return _coarse(
        [
            graph(
                Caption("Bans per second", "Addresses banned, summed over all hosts and jails.", units.CountsPerSecond),
                Query(total(bans), "bans"),
            ),
            graph(
                Caption(
                    "Failures per second", "Failures found in logs, over all hosts and jails.", units.CountsPerSecond
                ),
                Query(total(failures), "failures"),
            ),
            graph(
                Caption(
                    "Most banning hosts", f"Bans per second of the {_LINES} hosts that ban most.", units.CountsPerSecond
                ),
                Query(top(_LINES, total(bans, HOST)), "{{instance}}"),
            ),
            graph(
                Caption(
                    "Most attacked jails",
                    f"Failures per second of the {_LINES} jails with most.",
                    units.CountsPerSecond,
                ),
                Query(top(_LINES, total(failures, "jail")), "{{jail}}"),
            ),
        ]
    )


def changes() -> list[PanelBuilder]:
    """Return the graphs of exits, restarts and activations."""
    return _coarse(
        [
            events(
                Caption(
                    "Exits and restarts",
                    "fail2ban servers that ended, by how (unknown where neither can be shown), and new ones seen.",
                    units.Short,
                ),
                Query(total(growth("fail2ban_server_exits_total"), "kind"), "{{kind}} exit"),
                Query(total(growth("fail2ban_server_restarts_total")), "restart"),
            ),
            events(
                Caption(
                    "Activations and what came of them",
                    "Jails activated, by who told first; outages blamed on one, and those that ended.",
                    units.Short,
                ),
                Query(total(growth("fail2ban_activations_total"), "source"), "{{source}} activation"),
                Query(total(growth("fail2ban_activation_failures_total")), "outage blamed on a jail"),
                Query(total(growth("fail2ban_recoveries_total")), "recovery"),
            ),
        ]
    )


def probes() -> list[PanelBuilder]:
    """Return the graphs of probes and databases."""
    last = each(of("fail2ban_probe_last_duration_seconds"))
    age = each(f"time() - {of('fail2ban_probe_last_timestamp_seconds')}")
    size = each(of("fail2ban_database_size_bytes"))
    return _coarse(
        [
            graph(
                Caption("Slowest probes", f"Latest probe of the {_LINES} hosts where it took longest.", units.Seconds),
                Query(top(_LINES, last), "{{instance}}"),
            ),
            graph(
                Caption("Probe latency", "How long half, 90 % and 99 % of all probes took at most.", units.Seconds),
                *(Query(probe_quantile(quantile), f"{quantile:.0%}") for quantile in (0.5, 0.9, 0.99)),
            ),
            graph(
                Caption(
                    "Oldest probes", f"Time since the latest probe, of the {_LINES} hosts with most.", units.Seconds
                ),
                Query(top(_LINES, age), "{{instance}}"),
            ),
            graph(
                Caption(
                    "Largest databases",
                    f"fail2ban's database on the {_LINES} hosts where it is largest.",
                    units.BytesIEC,
                ),
                Query(top(_LINES, size), "{{instance}}"),
            ),
        ]
    )


def versions() -> list[PanelBuilder]:
    """Return the bars of versions and of failed probes."""
    failed = growth_in_range("fail2ban_probes_total", 'result!="success"')
    return [
        bars(
            Caption("fail2ban versions", "Hosts by the version of the fail2ban that answers.", units.Short),
            Query(f"count by (version) ({of('fail2ban_server_info')})", "{{version}}"),
        ),
        bars(
            Caption("Exporter versions", "Hosts by the exporter's version.", units.Short),
            Query(f"count by (version) ({of('fail2ban_exporter_build_info')})", "{{version}}"),
        ),
        bars(
            Caption("Failed probes", "Probes that failed in the time chosen above, by how.", units.Short),
            Query(total(failed, "result"), "{{result}}"),
            span=12,
        ),
    ]


def _coarse(graphs: list[timeseries.Panel]) -> list[PanelBuilder]:
    """Bound the points: for ten thousand hosts, Prometheus refuses to work out as many as a screen has pixels."""
    return [panel.max_data_points(_POINTS) for panel in graphs]
