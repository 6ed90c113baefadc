"""The dashboards: the JSON is what the source says, Grafana can take it, and its queries ask for what there is."""

import re
from itertools import combinations
from typing import Any

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.source import library, queries
from exporter.metrics import DEFINITIONS
from exporter.model import State
from exporter.own import OwnMetrics
from tests.dashboards.promql import grouping_labels, other_words, selectors
from tests.dashboards.queries import (
    EMPTY_WHEN_WELL,
    FOLDER,
    NAMES,
    Choice,
    annotation_queries,
    load,
    panel_queries,
    panels,
    variable_selectors,
)

each_dashboard = pytest.mark.parametrize("name", NAMES)

QUERIES = [*panel_queries(), *annotation_queries()]
OTHER = {"fleet": "host", "host": "fleet"}
BY_A_SCRAPE = {"job", "instance"}


def metric_labels() -> dict[str, set[str]]:
    """The labels of every series that a scrape of the exporter gives, by the name in its samples."""
    labels = {"up": set[str]()}
    for one in DEFINITIONS:
        labels[one.name] = set(one.labels)
    for name in ("fail2ban_probe_duration_seconds", "fail2ban_canary_ban_delay_seconds"):
        labels[f"{name}_bucket"] = {"le"}
    for metric in OwnMetrics().registry.collect():
        for sample in metric.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return {name: own | BY_A_SCRAPE for name, own in labels.items()}


LABELS = metric_labels()


@each_dashboard
def test_the_checked_in_json_is_what_the_source_says(name: str) -> None:
    assert library.text(name) == (FOLDER / f"{name}.json").read_text(encoding="utf-8"), "make dashboards"


def test_every_dashboard_has_its_file_and_every_file_its_dashboard() -> None:
    assert sorted(library.DASHBOARDS) == sorted(path.stem for path in FOLDER.iterdir())
    assert sorted(NAMES) == sorted(library.DASHBOARDS)


@each_dashboard
def test_the_schema_of_grafanas_sdk_takes_the_json(name: str) -> None:
    read = Dashboard.from_json(load(name))

    assert read.uid == f"fail2ban-{name}"
    assert len(read.panels or []) == len(load(name)["panels"])


@each_dashboard
def test_it_can_be_imported_as_it_is(name: str) -> None:
    dashboard = load(name)

    assert set() == {"id", "__inputs", "__requires", "__elements"} & set(dashboard)
    assert f"fail2ban-{name}" == dashboard["uid"]
    assert "now-6h" == dashboard["time"]["from"]
    assert set() == set(re.findall(r"\$\{DS_[^}]*\}", str(dashboard)))


@each_dashboard
def test_panels_have_ids_and_titles_of_their_own(name: str) -> None:
    everything = load(name)["panels"]
    titles = [panel["title"] for panel in panels(name)]

    assert list(range(1, len(everything) + 1)) == [panel["id"] for panel in everything]
    assert sorted(set(titles)) == sorted(titles)


@each_dashboard
def test_panels_lie_inside_the_grid_and_not_on_one_another(name: str) -> None:
    places = [panel["gridPos"] for panel in load(name)["panels"]]

    assert [] == [place for place in places if place["x"] < 0 or place["x"] + place["w"] > 24]
    assert [] == [(one, other) for one, other in combinations(places, 2) if _overlap(one, other)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


def test_queries_ask_for_metrics_and_labels_that_there_are() -> None:
    for query in QUERIES:
        asked = selectors(query.expr)
        known = set().union(*(LABELS[one.metric] for one in asked))

        assert set() == other_words(query.expr), query
        for one in asked:
            assert set() == {label for label, _, _ in one.matchers} - LABELS[one.metric], query
        assert set() == grouping_labels(query.expr) - known, query


def test_variables_take_their_values_from_metrics_that_there_are() -> None:
    for variable in variable_selectors():
        assert variable.panel in LABELS[variable.expr.partition("{")[0]], variable


def test_a_metric_without_matchers_would_be_noticed() -> None:
    assert {"fail2ban_up"} == other_words('sum by (job) (fail2ban_up) + time() > fail2ban_jails{job=~"$job"}')


@each_dashboard
def test_legends_name_labels_that_the_series_have(name: str) -> None:
    for panel in panels(name):
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert set() == named - grouping_labels(target["expr"]), panel["title"]


def test_every_state_of_the_contract_has_a_number() -> None:
    assert sorted(State) == sorted(queries.STATES)


def test_the_canary_is_left_out_of_sums_over_jails() -> None:
    figures = {f"fail2ban_jail_{what}" for what in ("banned_ips", "bans_total", "failed_ips", "failures_total")}
    summed = [
        one
        for query in QUERIES
        if "sum" in query.expr and "by (job, instance, jail)" not in query.expr
        for one in selectors(query.expr)
        if one.metric in figures
    ]

    assert figures == {one.metric for one in summed}
    assert {("jail", "!=", queries.CANARY)} == {
        matcher for one in summed for matcher in one.matchers if matcher[:2] == ("jail", "!=")
    }
    assert [] == [one for one in summed if ("jail", "!=", queries.CANARY) not in one.matchers]


@each_dashboard
def test_tables_and_figures_ask_for_now_and_graphs_over_time(name: str) -> None:
    for panel in panels(name):
        asked = {(target.get("instant", False), target.get("range", False)) for target in panel["targets"]}
        over_time = panel["type"] in {"timeseries", "state-timeline"}
        assert {(not over_time, over_time)} == asked, panel["title"]


@each_dashboard
def test_figures_show_the_latest_value(name: str) -> None:
    figures = [panel for panel in panels(name) if panel["type"] in {"stat", "bargauge"}]

    assert [["lastNotNull"]] * len(figures) == [panel["options"]["reduceOptions"]["calcs"] for panel in figures]


def test_graphs_of_the_fleet_ask_for_few_points() -> None:
    graphs = [panel for panel in panels("fleet") if panel["type"] == "timeseries"]

    assert [100] * len(graphs) == [panel["maxDataPoints"] for panel in graphs]


@each_dashboard
def test_everything_is_chosen_at_first(name: str) -> None:
    chosen = [one["current"]["value"] for one in load(name)["templating"]["list"] if one["type"] == "query"]

    assert [["$__all"]] * len(chosen) == chosen


@each_dashboard
def test_tables_ask_for_tables(name: str) -> None:
    formats = {target["format"] for panel in panels(name) if panel["type"] == "table" for target in panel["targets"]}

    assert {"table"} == formats


@each_dashboard
def test_it_links_to_the_other_dashboard_with_the_time_shown(name: str) -> None:
    (link,) = load(name)["links"]

    assert link["url"].startswith(f"/d/fail2ban-{OTHER[name]}?")
    assert link["keepTime"] is True


def test_cells_lead_to_the_host_or_jail_that_they_name() -> None:
    for name in NAMES:
        tables = [panel for panel in panels(name) if panel["type"] == "table"]
        for link, label in [found for table in tables for found in _cell_links(table)]:
            assert link.startswith("/d/fail2ban-host?${datasource:queryparam}&var-job=")
            assert f"&var-{label}=${{__data.fields.{label}:percentencode}}" in link
            assert "&var-instance=" in link
            assert link.endswith("&${__url_time_range}")


def _cell_links(table: dict[str, Any]) -> list[tuple[str, str]]:
    found = [
        (link["url"], override["matcher"]["options"])
        for override in table["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "links"
        for link in each["value"]
    ]
    assert found, table["title"]
    return found


@each_dashboard
def test_crashes_and_activations_are_marked(name: str) -> None:
    marked = [query.expr for query in annotation_queries() if query.dashboard == name]

    assert [True] == ['kind="crash"' in expr for expr in marked if "exits_total" in expr]
    assert [True] == ["fail2ban" in expr for expr in marked if "activation" in expr]


def test_moments_are_given_in_milliseconds() -> None:
    marks = [mark for name in NAMES for mark in load(name)["annotations"]["list"]]

    assert {True, False} == {mark["useValueForTime"] for mark in marks}
    for mark in marks:
        assert mark["useValueForTime"] is mark["expr"].startswith("1000 * ")
        assert mark["expr"] == mark["target"]["expr"]


def test_queries_that_may_be_empty_exist() -> None:
    assert len(EMPTY_WHEN_WELL) == sum(query.empty_when_well for query in panel_queries())


def test_variables_are_filled_in_as_grafana_would() -> None:
    choice = Choice(job="a|b", instance=r"host\.example:9191", rate_interval="4s")
    expr = 'sum(rate(x_total{job=~"$job", instance=~"$instance", jail=~"$jail"}[$__rate_interval]))'

    assert r'sum(rate(x_total{job=~"a|b", instance=~"host\\.example:9191", jail=~".+"}[4s]))' == choice.filled_in(expr)
