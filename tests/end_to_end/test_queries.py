"""A panel without data, or a rule that can never be true, looks like a host on which all is well."""

from datetime import timedelta
from typing import Final

import pytest

from tests.dashboards import queries
from tests.dashboards.queries import Choice, PanelQuery
from tests.end_to_end.stage import Observer
from tests.end_to_end.story import Story
from tests.monitoring import rules
from tests.monitoring.rules import Rule

# The first of these waits for the whole story, some three minutes.
pytestmark = pytest.mark.timeout(timedelta(minutes=15).total_seconds())

# As Grafana has it at a scrape interval of fifteen seconds.
CHOICE: Final = Choice(rate_interval="1m", range="5m")

NEEDS_A_PAST: Final = {
    "Fail2banBanSurge",
    "Fail2banBansNotEnforced",
    "Fail2banDatabaseGrowing",
    "Fail2banJailSilent",
    "Fail2banProbeStale",
    "Fail2banRestarted",
}
"""Alerts that are about days, about an exporter that hangs or has run for long, or about a firewall.

None of these can be had in a minute, so they are true on a host of the past, whose series were written to Prometheus's
storage before it started: see `past`.
"""

WITHOUT_A_FIREWALL: Final = {("host", "Bans in the firewall")}
"""Panels of --firewall.check, which is off in the story, since that has no network of its own."""

EMPTY_WHEN_WELL: Final = {
    ("fleet", "Jails activated"),
    ("fleet", "fail2ban crashed"),
    ("host", "Jail activated"),
    ("host", "Outage blamed on a jail"),
    ("host", "fail2ban crashed"),
}
"""Annotations (dashboard and name) that mark nothing until something happens. Panels: see `queries`."""


def ours(*, recording: bool) -> list[Rule]:
    """Our rules as they are, not the faster ones that Prometheus evaluates."""
    return [rule for rule in rules.rules(rules.ours()) if rule.recording is recording]


def empty(observer: Observer, wanted: list[PanelQuery], at: float) -> set[tuple[str, str]]:
    """Dashboards and titles of those queries that return nothing at a moment."""
    return {(one.dashboard, one.panel) for one in wanted if not observer.prometheus.query(one.expr, at)}


def never_filled(story: Story, observer: Observer, wanted: list[PanelQuery]) -> list[PanelQuery]:
    """Those that return nothing at any moment of the story."""
    return [one for one in wanted if not observer.prometheus.moments(one.expr, story.well, story.end)]


def test_every_recording_rule_returns_data_when_all_is_well(story: Story, observer: Observer) -> None:
    returned = {rule.name: observer.prometheus.query(rule.expression, story.well) for rule in ours(recording=True)}

    assert [name for name, data in returned.items() if not data] == []


def test_no_alert_is_true_when_all_is_well(story: Story, observer: Observer) -> None:
    for moment in (story.well, story.stage.past.well):
        true = {rule.name for rule in ours(recording=False) if observer.prometheus.query(rule.expression, moment)}
        assert true == set()


def test_every_alert_is_true_once_what_it_is_about_has_happened(story: Story, observer: Observer) -> None:
    prometheus, past = observer.prometheus, story.stage.past
    in_the_story = {
        rule.name for rule in ours(recording=False) if prometheus.moments(rule.expression, story.well, story.end)
    }
    in_the_past = {rule.name for rule in ours(recording=False) if prometheus.query(rule.expression, past.worst)}

    assert {rule.name for rule in ours(recording=False)} - NEEDS_A_PAST == in_the_story
    assert NEEDS_A_PAST <= in_the_past


def test_every_panel_has_data_when_all_is_well_but_for_those_that_are_listed(story: Story, observer: Observer) -> None:
    wanted = list(queries.panel_queries(CHOICE))

    listed = {(one.dashboard, one.panel) for one in wanted if one.empty_when_well}
    assert listed | WITHOUT_A_FIREWALL == empty(observer, wanted, story.well)


def test_every_query_of_every_panel_has_data_sooner_or_later(story: Story, observer: Observer) -> None:
    wanted = list(queries.panel_queries(CHOICE))

    print(f"{len(wanted)} queries")
    never = {(one.dashboard, one.panel) for one in never_filled(story, observer, wanted)}
    assert never == WITHOUT_A_FIREWALL


def test_every_panel_has_data_of_one_host_and_one_jail(story: Story, observer: Observer) -> None:
    host = story.stage.new.instance.replace(".", r"\.")
    wanted = list(queries.panel_queries(Choice(instance=host, jail="sshd", rate_interval="1m", range="5m")))

    listed = {(one.dashboard, one.panel) for one in wanted if one.empty_when_well}
    assert listed | WITHOUT_A_FIREWALL == empty(observer, wanted, story.well)


def test_every_annotation_is_empty_when_all_is_well_and_has_data_once_something_happens(
    story: Story, observer: Observer
) -> None:
    wanted = list(queries.annotation_queries(CHOICE))

    assert empty(observer, wanted, story.well) == EMPTY_WHEN_WELL == {(one.dashboard, one.panel) for one in wanted}
    assert never_filled(story, observer, wanted) == []


def test_an_annotation_whose_value_is_a_time_marks_a_moment_of_the_story(story: Story, observer: Observer) -> None:
    expressions = {
        (name, annotation["name"]): CHOICE.filled_in(annotation["target"]["expr"])
        for name in queries.NAMES
        for annotation in queries.load(name)["annotations"]["list"]
        if annotation.get("useValueForTime")
    }
    assert expressions

    for what, expression in expressions.items():
        marked = [value / 1000 for _, value in observer.prometheus.query(expression, story.end)]
        assert marked, what
        assert [moment for moment in marked if not story.start <= moment <= story.end] == [], what


def test_every_variable_has_something_to_choose_from(story: Story, observer: Observer) -> None:
    assert empty(observer, list(queries.variable_selectors(CHOICE)), story.well) == set()
