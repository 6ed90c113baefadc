"""The dashboard of the older Go exporter goes on showing data, from a real Prometheus that scrapes the exporter."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.geoip import databases
from tests.migration import Move, moves
from tests.monitoring.prometheus import Host, Prometheus
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until

PANELS: Final = {
    "f2b_config_jail_max_retries": 2,
    "f2b_config_jail_ban_time": 2,
    "f2b_config_jail_find_time": 2,
    "f2b_jail_failed_total": 2,
    "f2b_jail_banned_total": 2,
    "f2b_jail_failed_current": 2,
    "f2b_jail_banned_current": 2,
    "f2b_up": 1,
    "f2b_errors": 2,
}
"""What its panels ask for, each with `{instance=~"$instance"}`, and how many series two jails make of it."""
OTHERS: Final = {"f2b_jail_count": 1, "f2b_version": 1}
"""What its dashboard does not show, and people's alerts may use."""
INSTANCE: Final = "host.example:9191"
WITHOUT: Final = "without.example:9191"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped an exporter with the option and one without, both of the same fail2ban, which has banned once."""
    folder = tmp_path_factory.mktemp("compat")
    for name in ("fail2ban", "history"):
        (folder / name).mkdir()
    jails = [Jail("sshd", maxretry=1), Jail("recidive", bantime=-1)]
    with ExitStack() as stack:
        server = stack.enter_context(RealFail2ban(programs.fail2ban("1.0.2"), folder / "fail2ban", jails))
        server.start()
        server.fail("sshd", "203.0.113.1")
        server.wait_banned("sshd", "203.0.113.1")

        country = databases.write(folder / "country.mmdb", {"203.0.113.0/24": databases.country("DE")})

        def exporter(name: str, *flags: str) -> Host:
            watch = (f"--fail2ban.socket={server.socket}", "--fail2ban.config-dir=", "--probe.interval=1s")
            counting = f"--geoip.database={country}"
            running = stack.enter_context(ExporterProgram(*watch, counting, *flags, log=folder / f"{name}.log"))
            running.wait_for("fail2ban_jail_banned_ips", 1, jail="sshd")
            running.wait_for("fail2ban_jail_banned_ips_by_country", 1, jail="sshd", country="DE")
            return Host(name, f"127.0.0.1:{running.port}")

        running = stack.enter_context(
            Prometheus("prometheus-2.42", folder / "prometheus", {"groups": []}, None, folder / "history")
        )
        running.scrape([exporter(INSTANCE, "--metrics.compat=f2b"), exporter(WITHOUT)])
        wait_until(lambda: len(running.query("fail2ban_jails")) == 2, "both are scraped")
        yield running


@pytest.mark.parametrize("metric", [*PANELS, *OTHERS])
def test_every_query_of_its_dashboard_returns_the_series_of_the_chosen_host(
    prometheus: Prometheus, metric: str
) -> None:
    found = prometheus.query(f'{metric}{{instance=~"{INSTANCE}"}}')

    assert {**PANELS, **OTHERS}[metric] == len(found)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        pytest.param("f2b_up", [1], id="up"),
        pytest.param("sum(f2b_jail_banned_current)", [1], id="the sum of all jails"),
        pytest.param('f2b_jail_banned_total{jail="sshd"}', [1], id="a jail's total"),
        pytest.param('f2b_config_jail_ban_time{jail="recidive"}', [-1], id="a permanent ban"),
        pytest.param('f2b_config_jail_ban_time{jail="sshd"}', [600], id="a ban time"),
        pytest.param('f2b_version{fail2ban="1.0.2"}', [1], id="the version"),
        pytest.param("rate(f2b_errors[1m]) > 0 or f2b_up == 0 or f2b_jail_count < 2", [], id="alerts that are silent"),
    ],
)
def test_what_people_ask_of_it_has_the_value_that_it_had(
    prometheus: Prometheus, query: str, values: list[float]
) -> None:
    assert values == [value for _, value in prometheus.query(query)]


def test_the_dashboard_lists_this_host_and_not_the_one_without_the_option(prometheus: Prometheus) -> None:
    assert [INSTANCE] == [series["instance"] for series, _ in prometheus.query("f2b_up")]
    assert prometheus.query(f'{{__name__=~"f2b_.+", instance="{WITHOUT}"}}') == []


def test_both_hosts_have_our_metrics(prometheus: Prometheus) -> None:
    assert {INSTANCE, WITHOUT} == {series["instance"] for series, _ in prometheus.query("fail2ban_up == 1")}


def test_prometheus_took_the_older_names_for_what_they_are(prometheus: Prometheus) -> None:
    metadata = prometheus.get("/api/v1/metadata")["data"]

    assert {"gauge"} == {metadata[name][0]["type"] for name in [*PANELS, *OTHERS] if name != "f2b_errors"}
    assert metadata["f2b_errors"][0]["type"] == "unknown"


@pytest.mark.parametrize("move", moves("Alerts"), ids=lambda move: move.old[0])
def test_an_alert_fires_by_its_new_expression_when_it_fired_by_the_old_one(prometheus: Prometheus, move: Move) -> None:
    def firing(expression: str) -> list[tuple[str | None, float]]:
        found = prometheus.query(expression)
        return sorted((one.get("jail"), value) for one, value in found if one.get("instance") == INSTANCE)

    [old, new] = [firing(expression) for expression in (*move.old, *move.new)]

    # A permanent ban is written otherwise, which is what that alert is about.
    assert [jail for jail, _ in old] == [jail for jail, _ in new]
    assert bool(old) is (move.old[0].endswith(("== -1", "f2b_version")))


@pytest.mark.parametrize("move", moves("From the geo exporter"), ids=lambda move: move.old[0])
def test_what_the_geo_exporter_counted_is_counted_here(prometheus: Prometheus, move: Move) -> None:
    [expression] = move.new

    assert sum(value for _, value in prometheus.query(expression)) == 2  # one on each of two hosts
