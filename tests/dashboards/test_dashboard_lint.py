"""The rules of Grafana's dashboard-linter, one test for each that applies to dashboards of one Prometheus.

Left out are its rules about Loki, and `target-required-matchers-rule`, which does what its user configures.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.models import units

from tests.dashboards.promql import selectors
from tests.dashboards.queries import (
    NAMES,
    Choice,
    annotation_queries,
    load,
    panel_queries,
    panels,
    variable_selectors,
)
from tests.programs import promtool
from tests.waiting import DEADLINE

each_dashboard = pytest.mark.parametrize("name", NAMES)

QUERIES = [*panel_queries(), *annotation_queries()]
RATES = ("rate", "irate")
VALID_UNITS = {unit for name, unit in vars(units).items() if name[0].isupper() and isinstance(unit, str)}


def _variables(name: str, kind: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in load(name)["templating"]["list"] if one["type"] == kind}


@each_dashboard
def test_template_datasource_rule_the_data_source_can_be_chosen(name: str) -> None:
    (source,) = _variables(name, "datasource").values()

    assert ("datasource", "Data source", "prometheus") == (source["name"], source["label"], source["query"])


@pytest.mark.parametrize("variable", ["job", "instance"])
@each_dashboard
def test_template_job_and_instance_rules_several_or_all_can_be_chosen(name: str, variable: str) -> None:
    chosen = _variables(name, "query")[variable]

    assert chosen["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert chosen["label"] == variable.capitalize()
    assert chosen["multi"] is True
    assert chosen["includeAll"] is True
    assert chosen["allValue"] == ".+"


@each_dashboard
def test_template_label_promql_rule_variables_are_values_of_a_label(name: str) -> None:
    for variable in _variables(name, "query").values():
        assert variable["query"].startswith("label_values(fail2ban_")
        assert variable["query"].endswith(f", {variable['name']})")


@each_dashboard
def test_template_on_time_change_reload_rule_variables_follow_the_time_shown(name: str) -> None:
    assert {2} == {variable["refresh"] for variable in _variables(name, "query").values()}


@each_dashboard
def test_template_unused_rule_every_variable_is_used(name: str) -> None:
    used = " ".join(query.expr for query in panel_queries() if query.dashboard == name)

    assert [] == [variable for variable in _variables(name, "query") if f"${variable}" not in used]


@each_dashboard
def test_panel_datasource_rule_every_panel_asks_the_chosen_data_source(name: str) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    for panel in panels(name):
        assert [chosen] * (1 + len(panel["targets"])) == [
            panel["datasource"],
            *(t["datasource"] for t in panel["targets"]),
        ]


@each_dashboard
def test_panel_title_description_rule_every_panel_says_what_it_shows(name: str) -> None:
    for panel in panels(name):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]


@each_dashboard
def test_panel_units_rule_every_panel_has_a_unit_that_grafana_knows(name: str) -> None:
    assert {"cps", "none", "short", "s", "bytes", "percentunit"} <= VALID_UNITS
    for panel in panels(name):
        overrides = (each for override in panel["fieldConfig"]["overrides"] for each in override["properties"])
        shown = [
            panel["fieldConfig"]["defaults"]["unit"],
            *(each["value"] for each in overrides if each["id"] == "unit"),
        ]
        assert set() == set(shown) - VALID_UNITS, panel["title"]


@each_dashboard
def test_panel_no_targets_rule_every_panel_has_a_query(name: str) -> None:
    assert [] == [panel["title"] for panel in panels(name) if not panel["targets"]]


def test_target_promql_rule_prometheus_can_read_every_query(tmp_path: Path) -> None:
    choice = Choice(jail=r"sshd|nginx\.http", instance=r"host\.example:9191")
    queries = [*panel_queries(choice), *annotation_queries(choice), *variable_selectors(choice)]

    assert "" == _complaints([query.expr for query in queries], tmp_path)
    assert len(queries) > 80


def test_promtool_would_complain_of_a_query_that_is_no_promql(tmp_path: Path) -> None:
    assert "parse error" in _complaints(['sum(fail2ban_up{job=~".+"}'], tmp_path)


def test_target_rate_interval_rule_every_rate_follows_the_scrape_interval() -> None:
    windows = {one.window for query in QUERIES for one in selectors(query.expr) if one.function in RATES}

    assert {"$__rate_interval"} == windows


def test_target_job_and_instance_rules_every_selector_keeps_to_the_chosen_hosts() -> None:
    for query in QUERIES:
        for one in selectors(query.expr):
            assert {("job", "=~", "$job"), ("instance", "=~", "$instance")} <= set(one.matchers), query


def test_target_counter_agg_rule_no_counter_is_shown_as_it_is() -> None:
    for query in QUERIES:
        for one in selectors(query.expr):
            if one.metric.endswith("_total"):
                assert one.function in {*RATES, "increase"}, query
                assert one.window, query


def test_target_histogram_rule_buckets_only_make_quantiles() -> None:
    with_buckets = [query for query in QUERIES if "_bucket{" in query.expr]

    assert with_buckets
    for query in with_buckets:
        assert query.expr.startswith("histogram_quantile("), query
        assert "by (le)" in query.expr, query


@each_dashboard
def test_uneditable_dashboard_rule_changes_are_made_in_the_source(name: str) -> None:
    assert load(name)["editable"] is False


def _complaints(expressions: list[str], folder: Path) -> str:
    """What promtool has against expressions, each of them made a recording rule."""
    rules = [{"record": f"dashboards:query:number{n}", "expr": expr} for n, expr in enumerate(expressions)]
    rule_file = folder / "rules.yml"
    rule_file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run(
        [promtool(), "check", "rules", rule_file], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (checked.returncode == 0) is (f"SUCCESS: {len(rules)} rules found" in checked.stdout)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr
