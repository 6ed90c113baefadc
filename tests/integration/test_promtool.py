"""Prometheus's own checker finds nothing to complain of, whatever the jails are called."""

import subprocess
from dataclasses import replace

import pytest

from exporter.compat import exposed
from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.snapshot import Snapshot
from tests.integration.conftest import RunExporter
from tests.programs import promtool
from tests.snapshots import FOREVER, HOSTILE_NAMES, canary, failure, jail, snapshot, success
from tests.waiting import DEADLINE

MANY = [jail(f"jail{number}") for number in range(500)]

SNAPSHOTS = {
    "online with many jails, some of them hostile": snapshot(
        success(*MANY, FOREVER, *map(jail, HOSTILE_NAMES)), expected=["missing"]
    ),
    "online without a jail": snapshot(success()),
    "with a canary": replace(snapshot(success(jail())), canary=canary()),
    "offline": snapshot(success(jail()), failure(), expected=["sshd", *HOSTILE_NAMES]),
    "before the first probe": snapshot(),
    "stale": snapshot(success(jail())).as_of(1e6),
}


def complaints(metrics: str) -> str:
    """What promtool prints about a scrape in the text format."""
    checked = subprocess.run(
        [promtool(), "check", "metrics"],
        input=metrics.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DEADLINE,
        check=False,
    )
    printed = checked.stdout.decode()
    assert (checked.returncode == 0) is (printed == "")
    return printed


@pytest.mark.parametrize("state", SNAPSHOTS)
def test_it_finds_nothing_in_a_scrape(state: str) -> None:
    assert complaints(_text(SNAPSHOTS[state])) == ""


def test_it_finds_nothing_in_what_the_demo_serves(run_exporter: RunExporter) -> None:
    demo = run_exporter("--jails.expected=missing", command="demo")
    demo.wait_state("online")

    assert complaints(demo.get("/metrics").body) == ""


@pytest.mark.parametrize("state", SNAPSHOTS)
def test_with_the_names_of_the_older_exporter_it_complains_of_these_alone(state: str) -> None:
    lines = complaints(_text(SNAPSHOTS[state], compat="f2b")).splitlines()

    assert [line for line in lines if not line.startswith("f2b_")] == []


def test_of_the_older_names_it_dislikes_totals_that_are_gauges_and_a_count() -> None:
    lines = complaints(_text(SNAPSHOTS["online with many jails, some of them hostile"], compat="f2b")).splitlines()

    assert {line.split()[0] for line in lines} == {
        "f2b_jail_banned_total",
        "f2b_jail_count",
        "f2b_jail_failed_total",
    }


def test_it_would_complain() -> None:
    assert "fail2ban_jail_up metric not unique" in complaints(_text(snapshot(success(jail("twice"), jail("twice")))))


def _text(shown: Snapshot, compat: str | None = None) -> str:
    exposition = Exposition(lambda: shown, OwnMetrics().registry, lambda: 0.0, definitions=exposed(compat))
    return exposition.render(Format.TEXT_0_0_4).decode()
