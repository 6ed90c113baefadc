"""The jails of the dashboard *host*: all of them in a table, and what they do over time."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units

from dashboards.source import frame
from dashboards.source.panels import Caption, PanelBuilder, Query, graph, mapped
from dashboards.source.queries import (
    ATTACKED,
    CHOSEN_JAIL,
    JAIL,
    each,
    growth_in_range,
    of,
    only,
    rate,
    top,
    total,
)
from dashboards.source.tables import Column, Look, link, rows

_LINES: Final = 15
_LISTED: Final = f"bottomk(1000, {each(of('fail2ban_jail_up', CHOSEN_JAIL), JAIL)})"
"""More rows than anybody reads, missing jails first: for those who choose all of ten thousand hosts."""
_UP: Final = mapped({"0": ("missing", "red"), "1": ("running", "green")})
_FOREVER: Final = mapped({"Infinity": ("for ever", "text")})


def jails() -> list[PanelBuilder]:
    """Return the table and the graphs."""
    return [_table(), *_attacks(), *_now(), *_counts()]


def _jail(metric: str) -> str:
    return only(each(of(metric, CHOSEN_JAIL), JAIL), _LISTED, JAIL)


def _grown(metric: str) -> str:
    return only(total(growth_in_range(metric, CHOSEN_JAIL), JAIL), _LISTED, JAIL)


def _table() -> PanelBuilder:
    backend = f"max by ({JAIL}, backend) ({of('fail2ban_jail_info', CHOSEN_JAIL)})"
    written = f"1000 * ({_jail('fail2ban_jail_log_last_modified_timestamp_seconds')})"
    activated = f"1000 * ({_jail('fail2ban_jail_activation_timestamp_seconds')})"
    columns = [
        Column("Runs", _LISTED, mappings=_UP),
        Column("Banned now", _jail("fail2ban_jail_banned_ips")),
        Column("Failed now", _jail("fail2ban_jail_failed_ips")),
        Column("Bans in this time", _grown("fail2ban_jail_bans_total")),
        Column("Failures in this time", _grown("fail2ban_jail_failures_total")),
        Column("Ban time", _jail("fail2ban_jail_ban_time_seconds"), units.Seconds, mappings=_FOREVER),
        Column("Find time", _jail("fail2ban_jail_find_time_seconds"), units.Seconds),
        Column("Retries", _jail("fail2ban_jail_max_retries")),
        Column("Actions", _jail("fail2ban_jail_actions"), colors=((0, "red"), (1, "text"))),
        Column("Log files", _jail("fail2ban_jail_log_files")),
        Column("Log files missing", _jail("fail2ban_jail_log_files_missing"), colors=((0, "text"), (1, "red"))),
        Column("Log written", written, units.DatetimeISO),
        Column("Activated", activated, units.DatetimeISO),
        Column("", only(backend, _LISTED, JAIL)),
    ]
    meaning = (
        "Every jail: whether it runs (missing: enabled or expected, and not running), what it does and how it is set. "
        "With no action a jail bans nobody; a jail that reads the journal has no log files, and of one whose log files "
        "can't be looked at it is not known whether they are missing, or when they were written. "
        "Click on a jail to see it alone."
    )
    links = {"jail": link("Show only this jail", frame.HOST.uid, "job", "instance", "jail")}
    return rows(Caption("Jails", meaning, units.Short), columns, Look("Banned now", links))


def _attacks() -> list[PanelBuilder]:
    bans = rate("fail2ban_jail_bans_total", CHOSEN_JAIL, ATTACKED)
    failures = rate("fail2ban_jail_failures_total", CHOSEN_JAIL, ATTACKED)
    return [
        graph(
            Caption("Bans by jail", f"Bans per second of the {_LINES} jails that ban most.", units.CountsPerSecond),
            Query(top(_LINES, total(bans, "jail")), "{{jail}}"),
        ),
        graph(
            Caption("Failures by jail", f"Failures per second of the {_LINES} jails with most.", units.CountsPerSecond),
            Query(top(_LINES, total(failures, "jail")), "{{jail}}"),
        ),
    ]


def _now() -> list[PanelBuilder]:
    banned = total(of("fail2ban_jail_banned_ips", CHOSEN_JAIL, ATTACKED), "jail")
    failed = total(of("fail2ban_jail_failed_ips", CHOSEN_JAIL, ATTACKED), "jail")
    return [
        graph(
            Caption("Banned addresses by jail", f"Addresses banned, of the {_LINES} jails with most.", units.Short),
            Query(top(_LINES, banned), "{{jail}}"),
        ),
        graph(
            Caption(
                "Addresses with failures by jail",
                f"Addresses with failures inside the find time, of the {_LINES} jails with most.",
                units.Short,
            ),
            Query(top(_LINES, failed), "{{jail}}"),
        ),
    ]


def _counts() -> list[PanelBuilder]:
    missing = total(f"{of('fail2ban_jail_up')} == bool 0")
    return [
        graph(
            Caption(
                "Bans in the firewall",
                "Banned addresses that are in the firewall, and those that are not, which nothing blocks. "
                "Only with --firewall.check, and of jails whose actions put addresses there.",
                units.Short,
            ),
            Query(total(of("fail2ban_jail_enforced_ips", CHOSEN_JAIL)), "in the firewall"),
            Query(total(of("fail2ban_jail_unenforced_ips", CHOSEN_JAIL)), "not in the firewall"),
        ),
        graph(
            Caption("Jails over time", "Running jails, and those that are missing.", units.Short),
            Query(total(of("fail2ban_jails")), "running"),
            Query(missing, "missing"),
        ),
        graph(
            Caption("Actions by jail", "Actions that a jail has, of those with fewest: 0 bans nobody.", units.Short),
            Query(f"bottomk({_LINES}, min by (jail) ({of('fail2ban_jail_actions', CHOSEN_JAIL)}))", "{{jail}}"),
        ),
        graph(
            Caption(
                "Missing log files by jail",
                f"Log files that are not there, of the {_LINES} jails with most: nobody is banned for what would be "
                "written to them. Also while fail2ban is down.",
                units.Short,
            ),
            Query(top(_LINES, total(of("fail2ban_jail_log_files_missing", CHOSEN_JAIL), "jail")), "{{jail}}"),
        ),
    ]
