"""The dashboard *fleet*: all hosts at a glance.

Every panel is a sum or the worst few, so that it draws as much for ten thousand hosts as for ten.
"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.source import frame
from dashboards.source.fleet_graphs import attacks, changes, probes, versions
from dashboards.source.frame import Mark
from dashboards.source.panels import (
    BAD,
    ODD,
    STATES,
    Caption,
    PanelBuilder,
    mapped,
    number,
)
from dashboards.source.queries import (
    ATTACKED,
    HOST,
    JAIL,
    each,
    exporters_gone,
    growth,
    of,
    only,
    state_or_gone,
    top,
    total,
)
from dashboards.source.tables import Column, Look, link, rows

_ROWS: Final = 100
_MISSING: Final = mapped({"0": ("missing", "red")})
_WORST_HOSTS: Final = top(_ROWS, state_or_gone())
_TO_HOST: Final = {"instance": link("Show this host", frame.HOST.uid, "job", "instance")}
_TO_JAIL: Final = {**_TO_HOST, "jail": link("Show this jail", frame.HOST.uid, "job", "instance", "jail")}


def build() -> Dashboard:
    """Return the dashboard."""
    sections = [
        ("Is every host guarded?", [*_states(), *_troubles()]),
        ("Hosts", [_hosts(), _pending(), _missing()]),
        ("Attacks", attacks()),
        ("Exits, restarts and activations", changes()),
        ("Probes and versions", [*probes(), *versions()]),
    ]
    return frame.build(frame.FLEET, frame.variables(jail=False), _marks(), sections)


def _in_state(*names: str) -> str:
    one_of = "|".join(names)
    return total(of("fail2ban_state", f'fail2ban_state=~"{one_of}"'))


def _states() -> list[PanelBuilder]:
    return [
        number(Caption("Hosts", "Exporters that answer.", units.Short), f"count({of('fail2ban_up')})"),
        number(
            Caption("Guarded", "Hosts where fail2ban is online: it answered the latest probe.", units.Short),
            _in_state("online"),
        ),
        number(
            Caption("Down", "Hosts where nothing listens on fail2ban's socket: nothing guards them.", units.Short),
            _in_state("offline"),
            colors=BAD,
        ),
        number(
            Caption("Unresponsive", "Hosts where fail2ban runs and gives no valid answer in time.", units.Short),
            _in_state("unresponsive"),
            colors=BAD,
        ),
        number(
            Caption(
                "Not known",
                "Hosts where the exporter may not open the socket, or has not probed yet or for too long. "
                "It says nothing about fail2ban.",
                units.Short,
            ),
            _in_state("inaccessible", "unknown"),
            colors=ODD,
        ),
        number(
            Caption(
                "Exporters gone",
                "Targets that showed fail2ban in the time chosen above and don't answer Prometheus now.",
                units.Short,
            ),
            total(exporters_gone()),
            colors=BAD,
        ),
    ]


def _troubles() -> list[PanelBuilder]:
    reloads = f"{of('fail2ban_exporter_config_last_reload_successful')} == bool 0"
    return [
        number(
            Caption(
                "Pending recoveries",
                "Jails whose activation brought fail2ban down on a host where it is not back yet.",
                units.Short,
            ),
            total(of("fail2ban_pending_recoveries")),
            colors=BAD,
        ),
        number(
            Caption("Jails missing", "Jails that are enabled or expected and don't run.", units.Short),
            total(f"{of('fail2ban_jail_up')} == bool 0"),
            colors=BAD,
        ),
        number(
            Caption("Jails without action", "Running jails that have no action: they ban nobody.", units.Short),
            total(f"{of('fail2ban_jail_actions')} == bool 0"),
            colors=ODD,
        ),
        number(
            Caption("Banned now", "Addresses that are banned now, summed over hosts and jails.", units.Short),
            total(of("fail2ban_jail_banned_ips", ATTACKED)),
        ),
        number(
            Caption(
                "Configuration faults",
                "Files of fail2ban's jail configuration that exporters can't read or parse.",
                units.Short,
            ),
            total(of("fail2ban_exporter_jail_config_errors")),
            colors=ODD,
        ),
        number(
            Caption("Failed reloads", "Exporters whose latest attempt to read their settings failed.", units.Short),
            total(reloads),
            colors=ODD,
        ),
    ]


def _of_worst(expr: str) -> str:
    return only(expr, _WORST_HOSTS)


def _hosts() -> PanelBuilder:
    banned = total(of("fail2ban_jail_banned_ips", ATTACKED), HOST)
    versions = f"max by ({HOST}, version) ({of('fail2ban_server_info')})"
    columns = [
        Column("State", _WORST_HOSTS, mappings=mapped(STATES)),
        Column("Pending", _of_worst(each(of("fail2ban_pending_recoveries"))), colors=BAD),
        Column("Jails missing", _of_worst(total(f"{of('fail2ban_jail_up')} == bool 0", HOST)), colors=BAD),
        Column("Jails", _of_worst(each(of("fail2ban_jails")))),
        Column("Banned now", _of_worst(banned)),
        Column(
            "Failed probes in a row",
            _of_worst(each(of("fail2ban_probe_consecutive_failures"))),
            colors=((3, "orange"),),
        ),
        Column("Runs for", _of_worst(each(f"time() - {of('fail2ban_server_start_time_seconds')}")), units.Seconds),
        Column("", _of_worst(versions)),
    ]
    meaning = (
        f"The {_ROWS} hosts in the worst state; click on an instance to see why. fail2ban's version where it answers."
    )
    return rows(Caption("Hosts, worst first", meaning, units.Short), columns, Look("State", _TO_HOST))


def _pending() -> PanelBuilder:
    pending = f"{each(of('fail2ban_pending_recovery'), JAIL)} == 1"
    detected = each(of("fail2ban_pending_recovery_detected_timestamp_seconds"), JAIL)
    since = top(_ROWS, only(f"1000 * {detected}", f"({pending})", JAIL))
    columns = [Column("Down since", since, units.DatetimeISO)]
    meaning = (
        "Jails whose activation is blamed for an outage that goes on: disable or mend the jail, then start fail2ban. "
        "Empty when all is well."
    )
    return rows(
        Caption("Jails that keep fail2ban down", meaning, units.Short), columns, Look("Down since", _TO_JAIL, 12, 8)
    )


def _missing() -> PanelBuilder:
    columns = [Column("State", top(_ROWS, f"{each(of('fail2ban_jail_up'), JAIL)} == 0"), mappings=_MISSING)]
    meaning = (
        f"Jails that are enabled or expected and don't run, {_ROWS} at most: all of them where fail2ban is down. "
        "Empty when all is well."
    )
    return rows(Caption("Jails missing, by host", meaning, units.Short), columns, Look("State", _TO_JAIL, 12, 8))


def _marks() -> list[Mark]:
    crashes = total(growth("fail2ban_server_exits_total", 'kind="crash"'))
    activations = total(growth("fail2ban_activations_total"))
    return [
        Mark("fail2ban crashed", "red", f"{crashes} > 0", "on one host or more"),
        Mark("Jails activated", "blue", f"{activations} > 0", "on one host or more"),
    ]
