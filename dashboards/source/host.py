"""The dashboard *host*: why a host is not guarded, what its jails do, and what fail2ban and the exporter cost it."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.source import frame
from dashboards.source.frame import Mark
from dashboards.source.host_jails import jails
from dashboards.source.host_origins import origins
from dashboards.source.host_processes import canary, exporter, probes, server
from dashboards.source.panels import (
    BAD,
    Caption,
    PanelBuilder,
    Query,
    events,
    mapped,
    number,
    state,
    state_timeline,
)
from dashboards.source.queries import (
    ATTACKED,
    CHOSEN_JAIL,
    HOST,
    JAIL,
    each,
    growth,
    growth_in_range,
    of,
    only,
    state_number,
    state_or_gone,
    top,
    total,
)
from dashboards.source.tables import Column, Look, link, rows

_ROWS: Final = 100
"""Whoever chooses all of ten thousand hosts sees the worst, or latest, of them."""
_YES_NO: Final = mapped({"0": ("no", "green"), "1": ("yes", "red")})


def build() -> Dashboard:
    """Return the dashboard."""
    sections = [
        ("Is it guarded?", [*_now(), _timeline(), _blamed(), _servers()]),
        ("Jails", jails()),
        ("Where the bans come from", origins()),
        ("Exits, restarts and activations", _changes()),
        ("Does it ban?", canary()),
        ("Probes", probes()),
        ("fail2ban itself", server()),
        ("The exporter", exporter()),
    ]
    return frame.build(frame.HOST, frame.variables(jail=True), _marks(), sections)


def _now() -> list[PanelBuilder]:
    return [
        state(
            Caption(
                "State",
                "What is known of fail2ban now. No permission and exporter gone say nothing about fail2ban itself.",
                units.NoUnit,
            ),
            Query(top(_ROWS, state_or_gone()), "{{instance}}"),
        ),
        number(
            Caption(
                "Pending recoveries", "Jails whose activation brought fail2ban down, while it is down.", units.Short
            ),
            total(of("fail2ban_pending_recoveries")),
            colors=BAD,
        ),
        number(
            Caption("Jails missing", "Jails that are enabled or expected and don't run.", units.Short),
            total(f"{of('fail2ban_jail_up')} == bool 0"),
            colors=BAD,
        ),
        number(Caption("Jails running", "Running jails.", units.Short), total(of("fail2ban_jails"))),
        number(
            Caption("Banned now", "Addresses that are banned now, summed over jails.", units.Short),
            total(of("fail2ban_jail_banned_ips", ATTACKED)),
        ),
        number(
            Caption("Runs for", "Time since the fail2ban process started; the youngest of several.", units.Seconds),
            f"min(time() - {of('fail2ban_server_start_time_seconds')})",
        ),
    ]


def _timeline() -> PanelBuilder:
    meaning = "What was known of fail2ban over time. A gap is a time in which the exporter was not scraped."
    query = Query(top(_ROWS, state_number()), "{{instance}}")
    return state_timeline(Caption("State over time", meaning, units.NoUnit), query)


def _blamed() -> PanelBuilder:
    detected = top(_ROWS, each(of("fail2ban_pending_recovery_detected_timestamp_seconds"), JAIL))
    pending = each(of("fail2ban_pending_recovery"), JAIL)
    outages = total(growth_in_range("fail2ban_activation_failures_total"), JAIL)
    columns = [
        Column("Outage found", f"1000 * {detected}", units.DatetimeISO),
        Column("Pending", only(pending, detected, JAIL), mappings=_YES_NO),
        Column("Outages in this time", only(outages, detected, JAIL)),
    ]
    meaning = (
        "Jails whose activation was blamed for an outage. While one is pending, fail2ban is down: disable or mend the "
        "jail, then start fail2ban. Empty when no jail ever was."
    )
    links = {"jail": link("Show this jail", frame.HOST.uid, "job", "instance", "jail")}
    caption = Caption("Jails that brought fail2ban down", meaning, units.Short)
    return rows(caption, columns, Look("Outage found", links, 14, 7))


def _servers() -> PanelBuilder:
    answered = top(_ROWS, each(of("fail2ban_probe_last_success_timestamp_seconds")))
    started = each(of("fail2ban_server_start_time_seconds"))
    version = f"max by ({HOST}, version) ({of('fail2ban_server_info')})"
    columns = [
        Column("Latest success", f"1000 * {answered}", units.DatetimeISO),
        Column("Up since", only(f"1000 * {started}", answered), units.DatetimeISO),
        Column("", only(version, answered)),
    ]
    meaning = "The fail2ban that answers: its version, its start, and when it last answered a probe completely."
    links = {"instance": link("Show only this host", frame.HOST.uid, "job", "instance")}
    return rows(Caption("Servers", meaning, units.Short), columns, Look("Latest success", links, 10, 7))


def _changes() -> list[PanelBuilder]:
    return [
        events(
            Caption(
                "Exits and restarts",
                "Ends of the fail2ban process, by how, and new processes seen. A clean restart is one of each.",
                units.Short,
            ),
            Query(total(growth("fail2ban_server_exits_total"), "kind"), "{{kind}} exit"),
            Query(total(growth("fail2ban_server_restarts_total")), "restart"),
        ),
        events(
            Caption("Activations", "Jails activated, by who told first, and outages that ended.", units.Short),
            Query(total(growth("fail2ban_activations_total"), "source"), "{{source}}"),
            Query(total(growth("fail2ban_recoveries_total")), "recovery"),
            span=6,
        ),
        events(
            Caption("Activation failures", "Outages blamed on a jail's activation, by jail.", units.Short),
            Query(total(growth("fail2ban_activation_failures_total", CHOSEN_JAIL), "jail"), "{{jail}}"),
            span=6,
        ),
    ]


def _marks() -> list[Mark]:
    crashes = total(growth("fail2ban_server_exits_total", 'kind="crash"'), HOST)
    activated = _moments("fail2ban_jail_activation_timestamp_seconds")
    blamed = _moments("fail2ban_pending_recovery_detected_timestamp_seconds")
    return [
        Mark("fail2ban crashed", "red", f"{top(_ROWS, crashes)} > 0", "on {{instance}}"),
        Mark("Jail activated", "blue", activated, "{{jail}} on {{instance}}", value_is_time=True),
        Mark("Outage blamed on a jail", "orange", blamed, "{{jail}} on {{instance}}", value_is_time=True),
    ]


def _moments(metric: str) -> str:
    return f"1000 * {top(_ROWS, each(of(metric, CHOSEN_JAIL), JAIL))}"
