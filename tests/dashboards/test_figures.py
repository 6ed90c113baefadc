"""What the dashboards' queries return, in Prometheus's own engine, from what the exporter serves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.source import queries
from exporter.health import ActivationReported
from exporter.model import Enforcement, Result
from exporter.snapshot import Snapshot
from tests.dashboards.evaluation import CHOICE, Expected, Series, disagreements, gone, scraped
from tests.dashboards.promql import selectors
from tests.dashboards.queries import NAMES, PanelQuery, annotation_queries, panel_queries, panels, variable_selectors
from tests.snapshots import (
    FOREVER,
    HOSTILE_NAMES,
    TIMESTAMP,
    ban_counts,
    blamed_snapshot,
    canary,
    failure,
    files,
    firewall_check,
    jail,
    jail_with,
    log_files,
    snapshot,
    success,
    then,
)

WELL = replace(
    snapshot(success(jail(), jail("web"), FOREVER)),
    config_faults=0,
    firewall=firewall_check(Enforcement("sshd", 4, 0), Enforcement("web", 3, 1)),
    files=files(log_files("sshd"), log_files("web")),
    geoip=ban_counts(),
)
WATCHED = replace(WELL, canary=canary())
BLAMED = blamed_snapshot("web", expected=["sshd", "web"])
STATES = {
    "online": WELL,
    "unknown": snapshot(),
    "inaccessible": snapshot(failure(Result.PERMISSION_DENIED)),
    "unresponsive": snapshot(failure(Result.TIMEOUT)),
    "offline": snapshot(success(jail()), failure(), expected=["sshd"]),
}
WORDS = {
    "online": "online",
    "unknown": "unknown",
    "inaccessible": "no permission",
    "unresponsive": "unresponsive",
    "offline": "offline",
    "gone": "exporter gone",
}
USED = {one.metric for query in [*panel_queries(), *annotation_queries()] for one in selectors(query.expr)}


def _fleet(hosts: dict[str, Snapshot]) -> Series:
    series: Series = {}
    for instance, shown in hosts.items():
        series |= scraped(shown, instance, metrics=USED)
    return series


def _query(dashboard: str, panel: str, ref: str = "A") -> str:
    (expr,) = [
        query.expr
        for query in panel_queries(CHOICE)
        if (dashboard, panel, ref) == (query.dashboard, query.panel, query.ref)
    ]
    return expr


def _is_true(expr: str) -> Expected:
    return Expected(expr, {"{}": 1})


def test_every_query_finds_data_when_something_is_wrong_somewhere(tmp_path: Path) -> None:
    hosts = {"well:9191": WELL, "blamed:9191": BLAMED, "offline:9191": STATES["offline"], "watched:9191": WATCHED}
    series = _fleet(hosts)
    asked = [*panel_queries(CHOICE), *annotation_queries(CHOICE), *variable_selectors(CHOICE)]

    found = [_is_true(f"count({query.expr}) > bool 0") for query in asked]

    assert "" == disagreements(series, found, tmp_path)


def test_only_the_queries_known_for_it_find_nothing_when_all_is_well(tmp_path: Path) -> None:
    series = _fleet({"well:9191": WELL})

    found = [
        Expected(query.expr, {}) if query.empty_when_well else _is_true(f"count({query.expr}) > bool 0")
        for query in panel_queries(CHOICE)
    ]

    assert "" == disagreements(series, found, tmp_path)


@pytest.mark.parametrize(("dashboard", "panel"), [("fleet", "Hosts, worst first"), ("host", "State")])
def test_a_host_shows_its_state_as_a_word(dashboard: str, panel: str, tmp_path: Path) -> None:
    series = _fleet({f"{state}:9191": shown for state, shown in STATES.items()}) | gone("gone:9191")
    numbers = _numbers_by_word(dashboard, panel)

    expected = {f'{{job="fail2ban", instance="{state}:9191"}}': numbers[word] for state, word in WORDS.items()}

    assert "" == disagreements(series, [Expected(_query(dashboard, panel), expected)], tmp_path)


def _numbers_by_word(dashboard: str, title: str) -> dict[str, float]:
    (panel,) = [panel for panel in panels(dashboard) if panel["title"] == title]
    config = panel["fieldConfig"]
    overridden = [
        each["value"] for one in config["overrides"] for each in one["properties"] if each["id"] == "mappings"
    ]
    (mapping,) = overridden[0] if overridden else config["defaults"]["mappings"]
    return {shown["text"]: float(number) for number, shown in mapping["options"].items()}


@pytest.mark.parametrize(
    ("panel", "hosts"),
    [("Hosts", 5), ("Guarded", 1), ("Down", 1), ("Unresponsive", 1), ("Not known", 2), ("Exporters gone", 1)],
)
def test_hosts_are_counted_by_state(panel: str, hosts: int, tmp_path: Path) -> None:
    series = _fleet({f"{state}:9191": shown for state, shown in STATES.items()}) | gone("gone:9191")
    other_job = {'up{job="node", instance="other:9100"}': " ".join("0" * 6)}

    assert "" == disagreements(series | other_job, [Expected(_query("fleet", panel), {"{}": hosts})], tmp_path)


def test_bans_of_the_canary_are_no_attacks(tmp_path: Path) -> None:
    series = _fleet({"host:9191": snapshot(success(jail("sshd", banned=4), jail(queries.CANARY, banned=1000)))})

    asked = [Expected(_query(name, "Banned now"), {"{}": 4}) for name in NAMES]
    asked.append(Expected(f"count({_query('host', 'Jails')})", {"{}": 2}))

    assert "" == disagreements(series, asked, tmp_path)


def test_a_jail_that_keeps_fail2ban_down_is_named_until_it_is_back(tmp_path: Path) -> None:
    series = _fleet({"host:9191": BLAMED, "well:9191": WELL})
    labels = '{job="fail2ban", instance="host:9191", jail="web"}'

    asked = [
        Expected(_query("fleet", "Pending recoveries"), {"{}": 1}),
        Expected(_query("fleet", "Jails that keep fail2ban down"), {labels: 1000 * (1_700_000_000 + 3)}),
        Expected(_query("host", "Jails that brought fail2ban down", "B"), {labels: 1}),
    ]

    assert "" == disagreements(series, asked, tmp_path)


def test_missing_jails_and_jails_without_action_are_counted_and_named(tmp_path: Path) -> None:
    shown = snapshot(success(jail(), jail_with("idle", actions=0)), expected=["sshd", *HOSTILE_NAMES[:2]])
    series = _fleet({"host:9191": shown})

    asked = [
        *(Expected(_query(name, "Jails missing"), {"{}": 2}) for name in NAMES),
        Expected(f"count({_query('fleet', 'Jails missing, by host')})", {"{}": 2}),
        Expected(_query("fleet", "Jails without action"), {"{}": 1}),
    ]

    assert "" == disagreements(series, asked, tmp_path)


def test_the_exporters_own_process_is_not_mixed_up_with_those_of_other_jobs(tmp_path: Path) -> None:
    series = _fleet({"host:9191": WELL})
    series['process_resident_memory_bytes{job="node", instance="host:9191"}'] = " ".join("7" * 6)

    asked = [Expected(f"count({_query('host', 'Exporter: memory')})", {"{}": 1})]

    assert "" == disagreements(series, asked, tmp_path)


def test_the_columns_of_a_table_agree_on_its_rows_where_there_are_more_hosts_than_rows(tmp_path: Path) -> None:
    series = scraped(BLAMED, *(f"down{number}:9191" for number in range(60)), metrics=USED)
    activated = then(WELL, ActivationReported("web", happened=1, at=1, timestamp=TIMESTAMP + 1))
    series |= scraped(activated, *(f"well{number}:9191" for number in range(60)), metrics=USED)

    strangers = [Expected(f"({query.expr}) unless on ({by}) ({first})", {}) for query, first, by in _columns()]

    assert len(strangers) > 20
    assert "" == disagreements(series, strangers, tmp_path)


def _columns() -> Iterator[tuple[PanelQuery, str, str]]:
    """Each column of a table after the first, the first one's query, and the labels that tell the rows apart."""
    tables = {(name, panel["title"]) for name in NAMES for panel in panels(name) if panel["type"] == "table"}
    for query in panel_queries(CHOICE):
        if (query.dashboard, query.panel) in tables and query.ref != "A":
            first = _query(query.dashboard, query.panel)
            yield query, first, queries.JAIL if "jail)" in first else queries.HOST


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(replace(snapshot(success(*map(jail, "abcdefghij"))), config_faults=0), id="all well"),
        pytest.param(BLAMED, id="all down"),
    ],
)
def test_no_query_returns_more_than_people_can_look_at_however_many_hosts_there_are(
    shown: Snapshot, tmp_path: Path
) -> None:
    series = scraped(shown, *(f"host{number}:9191" for number in range(105)), metrics=USED)

    few = [
        Expected(f"count({query.expr}) > {1000 if query.panel == 'Jails' else 100}", {})
        for query in [*panel_queries(CHOICE), *annotation_queries(CHOICE)]
    ]

    assert "" == disagreements(series, few, tmp_path)
