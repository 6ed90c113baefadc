"""With hundreds of hosts, each alert must name the right ones, totals must be right, and the dashboard must hold up."""

import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from tests.dashboards import queries
from tests.dashboards.queries import Choice, PanelQuery
from tests.fleet.conftest import Watched
from tests.fleet.hosts import BLAMED_JAIL, MISSING_JAIL, Trouble, trouble_of
from tests.fleet.program import Fleet
from tests.monitoring import rules
from tests.monitoring.prometheus import Prometheus
from tests.waiting import wait_until

# Two Prometheus and three hundred hosts on a busy machine, and alerts that wait for seconds before they fire.
pytestmark = pytest.mark.timeout(600)
_SECONDS: Final = 240.0

ALERTS: Final = {
    "Fail2banDown": Trouble.BLAMED,
    "Fail2banPendingRecovery": Trouble.BLAMED,
    "Fail2banCrashLoop": Trouble.FLAPPING,
    "Fail2banJailDown": Trouble.MISSING,
    "Fail2banInaccessible": Trouble.INACCESSIBLE,
    "Fail2banExporterDown": Trouble.GONE,
}
"""What fires for which trouble; and see `expected_alerts`."""

MOST_SERIES: Final = 100
"""What a panel draws or lists at most, for however many hosts: a table's hundred worst."""

QUERY_TIMEOUT: Final = "30s"
"""What Prometheus gives up after. Grafana's own is the same."""


def expected_alerts(fleet: Fleet) -> dict[str, set[str]]:
    """The hosts for which each alert should fire. One that crashed and does not come back is in a crash loop, too."""
    wanted = {alert: fleet.instances(trouble) for alert, trouble in ALERTS.items()}
    wanted["Fail2banCrashLoop"] |= fleet.instances(Trouble.BLAMED)
    return wanted


def firing(prometheus: Prometheus) -> dict[str, set[str]]:
    """The hosts for which each alert fires."""
    found = defaultdict(set)
    for alert in prometheus.alerts():
        found[alert["alertname"]].add(alert["instance"])
    return dict(found)


def wait_for_alerts(prometheus: Prometheus, fleet: Fleet) -> None:
    """Wait until those fire that should."""
    wait_until(
        lambda: firing(prometheus) == expected_alerts(fleet),
        lambda: f"the right alerts fire: {firing(prometheus)}",
        _SECONDS,
    )


def value(prometheus: Prometheus, expression: str) -> float | None:
    """The one value that a query returns, if any."""
    found = prometheus.query(expression)
    return found[0][1] if found else None


def test_every_kind_of_trouble_is_in_the_fleet_and_most_hosts_have_none(fleet: Fleet) -> None:
    befallen = [trouble_of(number) for number in range(fleet.size)]

    assert set(Trouble) == set(befallen)
    assert befallen.count(Trouble.NONE) == 0.9 * fleet.size


def test_no_alert_fires_while_all_is_well_with_the_fleet(watched: Watched) -> None:
    assert [] == watched.firing_when_well


def test_each_alert_fires_for_the_hosts_that_it_is_about_and_no_other(prometheus: Prometheus, fleet: Fleet) -> None:
    wait_for_alerts(prometheus, fleet)

    blamed = {
        (alert["instance"], alert["jail"])
        for alert in prometheus.alerts()
        if alert["alertname"] == "Fail2banPendingRecovery"
    }
    missing = {
        (alert["instance"], alert["jail"]) for alert in prometheus.alerts() if alert["alertname"] == "Fail2banJailDown"
    }
    assert {(host, BLAMED_JAIL) for host in fleet.instances(Trouble.BLAMED)} == blamed
    assert {(host, MISSING_JAIL) for host in fleet.instances(Trouble.MISSING)} == missing


@pytest.mark.parametrize(
    ("expression", "troubles"),
    [
        pytest.param(
            'sum(job:fail2ban_state:sum{fail2ban_state="online"})',
            {Trouble.NONE, Trouble.MISSING, Trouble.FLAPPING},
            id="online",
        ),
        pytest.param('sum(job:fail2ban_state:sum{fail2ban_state="offline"})', {Trouble.BLAMED}, id="offline"),
        pytest.param(
            'sum(job:fail2ban_state:sum{fail2ban_state="inaccessible"})', {Trouble.INACCESSIBLE}, id="inaccessible"
        ),
        pytest.param("sum(job:fail2ban_pending_recoveries:sum)", {Trouble.BLAMED}, id="pending"),
        pytest.param("sum(instance:fail2ban_jail_up:missing)", {Trouble.MISSING}, id="jails missing"),
        pytest.param("count(up == 0)", {Trouble.GONE}, id="gone"),
    ],
)
def test_totals_of_the_fleet_are_those_of_its_hosts(
    prometheus: Prometheus, fleet: Fleet, expression: str, troubles: set[Trouble]
) -> None:
    expected = len(fleet.instances(*troubles))

    wait_until(
        lambda: value(prometheus, expression) == expected,
        lambda: f"{expression} is {expected} and not {value(prometheus, expression)}",
    )


def test_every_jail_of_the_hosts_that_answer_is_counted_once(prometheus: Prometheus, fleet: Fleet) -> None:
    online = (Trouble.NONE, Trouble.MISSING, Trouble.FLAPPING)
    expected = fleet.jails(*online)

    wait_until(
        lambda: value(prometheus, "count(fail2ban_jail_up)") == expected,
        lambda: f"there are {expected} jails and not {value(prometheus, 'count(fail2ban_jail_up)')}",
    )


def test_no_rule_fails_and_every_group_is_evaluated(prometheus: Prometheus, fleet: Fleet) -> None:
    wait_for_alerts(prometheus, fleet)
    groups = {group["name"] for group in rules.ours()["groups"]}
    wait_until(lambda: len(evaluations(prometheus)) == len(groups), f"{groups} are evaluated")

    assert [] == [(rule["name"], rule["lastError"]) for rule in prometheus.rules() if rule["health"] != "ok"]
    assert {0.0} == set(own(prometheus, "prometheus_rule_evaluation_failures_total"))
    for name, figure in figures(prometheus).items():
        print(f"{name}: {figure:g}")


def own(prometheus: Prometheus, name: str) -> list[float]:
    """The values of a metric of Prometheus's own."""
    return [value for (found, _), value in prometheus.samples().items() if found == name]


def evaluations(prometheus: Prometheus) -> dict[str, float]:
    """How long the latest evaluation of each group took, in seconds."""
    return {
        dict(labels)["rule_group"].rpartition(";")[2]: seconds
        for (name, labels), seconds in prometheus.samples().items()
        if name == "prometheus_rule_group_last_duration_seconds" and seconds > 0
    }


def figures(prometheus: Prometheus) -> dict[str, float]:
    """What the fleet costs this Prometheus; nothing here is judged: that is what the benchmark is for."""
    status = Path(f"/proc/{prometheus.pid}/status").read_text(encoding="ascii")
    scrapes = [seconds for _, seconds in prometheus.query("scrape_duration_seconds")]
    return {
        **{f"{group}, seconds": seconds for group, seconds in evaluations(prometheus).items()},
        "series": own(prometheus, "prometheus_tsdb_head_series")[0],
        "resident memory, MB": int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6,
        "median scrape, seconds": statistics.median(scrapes),
    }


def test_every_query_of_the_fleet_dashboard_returns_data_and_no_more_than_it_can_show(
    prometheus: Prometheus, fleet: Fleet
) -> None:
    wait_for_alerts(prometheus, fleet)
    choice = Choice(rate_interval="20s", range="3m")
    asked = [one for one in queries.panel_queries(choice) if one.dashboard == "fleet"]
    assert len(asked) >= 40

    shown = {(one.panel, one.ref): series_of(prometheus, one) for one in asked}

    assert {what for what, series in shown.items() if series == 0} == set()
    assert {what: series for what, series in shown.items() if series > MOST_SERIES} == {}


def series_of(prometheus: Prometheus, asked: PanelQuery) -> int:
    """How many series a panel gets: of now, or of the last hour in as many points as a graph of the fleet asks for."""
    if asked.instant:
        answer = prometheus.post("/api/v1/query", query=asked.expr, timeout=QUERY_TIMEOUT)
    else:
        end = time.time()
        span = {"start": f"{end - 3600:.0f}", "end": f"{end:.0f}", "step": "36"}
        answer = prometheus.post("/api/v1/query_range", query=asked.expr, timeout=QUERY_TIMEOUT, **span)
    return len(answer["data"]["result"])


def test_the_fleet_dashboard_counts_as_the_fleet_is(prometheus: Prometheus, fleet: Fleet) -> None:
    wait_for_alerts(prometheus, fleet)
    tiles = {
        "Guarded": (Trouble.NONE, Trouble.MISSING, Trouble.FLAPPING),
        "Down": (Trouble.BLAMED,),
        "Not known": (Trouble.INACCESSIBLE,),
        "Exporters gone": (Trouble.GONE,),
        "Pending recoveries": (Trouble.BLAMED,),
        "Jails missing": (Trouble.MISSING,),
    }
    asked = {one.panel: one.expr for one in queries.panel_queries(Choice(range="1h")) if one.dashboard == "fleet"}

    for panel, troubles in tiles.items():
        assert value(prometheus, asked[panel]) == len(fleet.instances(*troubles)), panel
