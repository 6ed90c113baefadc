"""The lower half of the dashboard *host*: probes, fail2ban's process and the exporter's own."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units

from dashboards.source.panels import BAD, ODD, Caption, PanelBuilder, Query, events, graph, number
from dashboards.source.queries import (
    each,
    growth,
    growth_in_range,
    of,
    of_exporter,
    probe_quantile,
    rate,
    top,
    total,
)

_LINES: Final = 15


def _lines(expr: str) -> Query:
    return Query(top(_LINES, expr), "{{instance}}")


def probes() -> list[PanelBuilder]:
    """Return the panels about probes of fail2ban."""
    age = each(f"time() - {of('fail2ban_probe_last_timestamp_seconds')}")
    allowed = f"3 * {of('fail2ban_probe_interval_seconds')} + {of('fail2ban_probe_timeout_seconds')}"
    return [
        graph(
            Caption(
                "Probe latency",
                "How long half, 90 % and 99 % of the probes took at most: connect, every request, every reply.",
                units.Seconds,
            ),
            *(Query(probe_quantile(quantile), f"{quantile:.0%}") for quantile in (0.5, 0.9, 0.99)),
        ),
        graph(
            Caption("Latest probe", "How long the latest probe took.", units.Seconds),
            _lines(each(of("fail2ban_probe_last_duration_seconds"))),
        ),
        events(
            Caption("Probes by result", "How probes ended; the reasons are those of the metric.", units.Short),
            Query(total(growth("fail2ban_probes_total"), "result"), "{{result}}"),
        ),
        graph(
            Caption("Failed probes in a row", "Probes that failed since the latest success.", units.Short),
            _lines(each(of("fail2ban_probe_consecutive_failures"))),
            span=6,
        ),
        graph(
            Caption(
                "Age of the figures",
                "Time since the latest probe. Past the limit (three intervals and the timeout) all figures are stale.",
                units.Seconds,
            ),
            _lines(age),
            Query(f"max({allowed})", "limit"),
            span=6,
        ),
    ]


def canary() -> list[PanelBuilder]:
    """Return the panels about the synthetic attacker, which are empty where it is off."""
    delays = total(rate("fail2ban_canary_ban_delay_seconds_bucket"), "le")
    return [
        graph(
            Caption(
                "Canary: time to the ban",
                "How long it took until the exporter's synthetic attacker was banned: the latest one on each host, the "
                "slowest first, and the median of all. Empty where the canary is off, and until it is banned.",
                units.Seconds,
            ),
            _lines(each(of("fail2ban_canary_last_ban_delay_seconds"))),
            Query(f"histogram_quantile(0.5, {delays})", "median"),
        ),
        events(
            Caption(
                "Canary: attacks by result",
                "How attacks ended: only success is a ban in time; interrupted says nothing, as fail2ban was stopped.",
                units.Short,
            ),
            Query(total(growth("fail2ban_canary_runs_total"), "result"), "{{result}}"),
        ),
    ]


def server() -> list[PanelBuilder]:
    """Return the panels about fail2ban's own process and database."""
    return [
        graph(
            Caption("fail2ban: memory", "Resident memory of the fail2ban process.", units.BytesIEC),
            _lines(each(of("fail2ban_process_resident_memory_bytes"))),
            span=6,
        ),
        graph(
            Caption("fail2ban: CPU", "Share of one processor that fail2ban uses.", units.PercentUnit),
            _lines(each(rate("fail2ban_process_cpu_seconds_total"))),
            span=6,
        ),
        graph(
            Caption(
                "fail2ban: descriptors",
                "Open file descriptors, where the exporter has the rights to count them, and the limit.",
                units.Short,
            ),
            _lines(each(of("fail2ban_process_open_fds"))),
            Query(f"min({of('fail2ban_process_max_fds')})", "limit"),
            span=6,
        ),
        graph(
            Caption("fail2ban: database", "Size of the file of fail2ban's database.", units.BytesIEC),
            _lines(each(of("fail2ban_database_size_bytes"))),
            span=6,
        ),
        graph(
            Caption(
                "fail2ban: bans in its database",
                "Bans that fail2ban remembers, those that have ended included until it purges them (dbpurgeage).",
                units.Short,
            ),
            _lines(each(of("fail2ban_database_bans"))),
        ),
    ]


def exporter() -> list[PanelBuilder]:
    """Return the panels about the exporter itself."""
    failed = f"{of('fail2ban_exporter_config_last_reload_successful')} == bool 0"
    return [
        number(
            Caption(
                "Configuration faults",
                "Files of fail2ban's jail configuration that can't be read or parsed: jails in them are unknown.",
                units.Short,
            ),
            total(of("fail2ban_exporter_jail_config_errors")),
            colors=ODD,
        ),
        number(
            Caption(
                "State file errors",
                "How often the state file could not be read or written in the time chosen above: "
                "a restart forgets what is pending.",
                units.Short,
            ),
            total(growth_in_range("fail2ban_exporter_state_file_errors_total")),
            colors=BAD,
        ),
        number(
            Caption("Failed reloads", "Exporters whose latest attempt to read their settings failed.", units.Short),
            total(failed),
            colors=ODD,
        ),
        graph(
            Caption("Exporter: memory", "Resident memory of the exporter.", units.BytesIEC),
            _lines(each(of_exporter(of("process_resident_memory_bytes")))),
            span=6,
        ),
        graph(
            Caption("Exporter: CPU", "Share of one processor that the exporter uses.", units.PercentUnit),
            _lines(each(of_exporter(rate("process_cpu_seconds_total")))),
            span=6,
        ),
    ]
