"""The rules wake people: each must fire when it should, stay silent when it should, and say what it is about."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from exporter.model import ExitKind, State
from tests.dashboards.rule_files import (
    RULE_FILES,
    RULE_TESTS,
    alerts,
    cases,
    exported_names,
    groups,
    records,
    words,
)
from tests.programs import program, promtool

ALERT_NAMES: Final = {
    "Fail2banActivationFailed",
    "Fail2banBanSurge",
    "Fail2banBansNotEnforced",
    "Fail2banCanaryFailing",
    "Fail2banCrashLoop",
    "Fail2banDatabaseGrowing",
    "Fail2banDown",
    "Fail2banExporterDown",
    "Fail2banExporterJailConfigErrors",
    "Fail2banExporterReloadFailed",
    "Fail2banExporterStateFileErrors",
    "Fail2banFailureSurge",
    "Fail2banGeoipFailing",
    "Fail2banInaccessible",
    "Fail2banJailDown",
    "Fail2banJailSilent",
    "Fail2banJailWithoutActions",
    "Fail2banLogFileMissing",
    "Fail2banNoJails",
    "Fail2banPendingRecovery",
    "Fail2banProbeSlow",
    "Fail2banProbeStale",
    "Fail2banRestarted",
    "Fail2banUnresponsive",
}

LABELS: Final = {"database", "job", "instance", "jail", "kind", "le", "fail2ban_state"}
LANGUAGE: Final = {"and", "bool", "on", "or", "unless", "without"} | {
    "count_over_time",
    "histogram_quantile",
    "increase",
    "last_over_time",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "quantile_over_time",
    "rate",
    "resets",
    "sum",
    "time",
}
OF_PROMETHEUS: Final = {"up", "ALERTS"}

ALERTS: Final = pytest.mark.parametrize("alert", [pytest.param(one, id=one["alert"]) for one in alerts()])
RULES: Final = pytest.mark.parametrize(
    "rule", [pytest.param(one, id=one.get("alert", one.get("record"))) for one in [*records(), *alerts()]]
)
# 2.42 is the first that knows keep_firing_for
PROMTOOLS: Final = pytest.mark.parametrize(
    "checker",
    [
        pytest.param(promtool, id="2.53"),
        pytest.param(lambda: program("prometheus-2.42") / "usr/bin/promtool", id="2.42"),
    ],
)


def run(*command: Path | str) -> tuple[int, str]:
    """The exit status of a program, and all that it printed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout


@PROMTOOLS
def test_promtool_finds_no_fault_in_the_rules(checker: Callable[[], Path]) -> None:
    status, printed = run(checker(), "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)

    assert (0, 2) == (status, printed.count("SUCCESS")), printed


@PROMTOOLS
@pytest.mark.parametrize("tests", [pytest.param(path, id=path.stem) for path in RULE_TESTS])
def test_the_rules_do_what_their_tests_say(checker: Callable[[], Path], tests: Path) -> None:
    status, printed = run(checker(), "test", "rules", tests)

    assert status == 0, printed


def test_the_alerts_have_the_names_that_others_rely_on() -> None:
    assert sorted(alert["alert"] for alert in alerts()) == sorted(ALERT_NAMES)


@ALERTS
def test_an_alert_says_how_bad_it_is_what_it_is_about_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert set(alert) - {"keep_firing_for"} == {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}


@ALERTS
def test_an_alert_says_which_host_it_is_about_in_its_summary_and_its_description(alert: dict[str, Any]) -> None:
    assert "{{ $labels.instance }}" in alert["annotations"]["summary"]
    assert "{{ $labels.instance }}" in alert["annotations"]["description"]


@ALERTS
def test_an_alert_has_a_case_in_which_it_fires_and_a_near_miss(alert: dict[str, Any]) -> None:
    of_it = [case for _, case in cases() if case["alertname"] == alert["alert"]]

    assert any(case.get("exp_alerts") for case in of_it)
    assert any(not case.get("exp_alerts") for case in of_it)


@ALERTS
def test_a_test_says_in_its_name_what_an_alert_is_held_to(alert: dict[str, Any]) -> None:
    assert any(f"{alert['alert']} fires" in name for name, _ in cases())


@RULES
def test_a_rule_asks_only_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    known = exported_names() | OF_PROMETHEUS | {one["record"] for one in records()}

    assert words(rule["expr"]) - known - LANGUAGE - LABELS == set()


@ALERTS
def test_what_an_annotation_looks_up_is_a_metric_that_there_is(alert: dict[str, Any]) -> None:
    looked_up = re.findall(r'printf "(\w+)\{', " ".join(alert["annotations"].values()))

    assert set(looked_up) - exported_names() == set()


@RULES
def test_a_rule_goes_for_every_job_and_every_host(rule: dict[str, Any]) -> None:
    assert re.findall(r"\b(?:job|instance)\s*[!=]", rule["expr"]) == []


@RULES
def test_a_rule_matches_states_and_kinds_that_there_are(rule: dict[str, Any]) -> None:
    states = re.findall(r'fail2ban_state="(\w+)"', rule["expr"])
    kinds = "|".join(re.findall(r'kind=~?"([\w|]+)"', rule["expr"]))

    assert set(states) <= {str(state) for state in State}
    assert set(filter(None, kinds.split("|"))) <= {str(kind) for kind in ExitKind}


@pytest.mark.parametrize("record", [pytest.param(one["record"], id=one["record"]) for one in records()])
def test_what_is_recorded_is_called_by_level_metric_and_operations(record: str) -> None:
    level, metric, operations = record.split(":")

    assert level in {"job", "instance", "jail"}
    assert {metric, f"{metric}_total"} & {name.removesuffix("_bucket") for name in exported_names()}
    assert re.fullmatch(r"[a-z0-9_]+", operations)


@pytest.mark.parametrize("record", [pytest.param(one["record"], id=one["record"]) for one in records()])
def test_what_is_recorded_is_tested(record: str) -> None:
    assert record in Path(RULE_TESTS[0].parent / "recording.yml").read_text(encoding="utf-8")


@ALERTS
def test_a_threshold_is_marked_as_one(alert: dict[str, Any]) -> None:
    for line in alert["expr"].splitlines():
        if re.search(r"[<>]=? (?:\d{2,}|[3-9]|\d\.\d)", line):
            assert line.endswith("# threshold")


def test_groups_have_names_of_their_own() -> None:
    names = [group["name"] for group in groups()]

    assert sorted(set(names)) == sorted(names)
