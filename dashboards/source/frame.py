"""What both dashboards have: variables, links to each other, marks in the graphs, and panels set out in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.source.panels import DATASOURCE, PanelBuilder
from dashboards.source.queries import of


class Identity(NamedTuple):
    """What a dashboard is called; the uid never changes, since links and bookmarks name it."""

    uid: str
    title: str
    meaning: str
    refresh: str


FLEET: Final = Identity(
    "fail2ban-fleet",
    "fail2ban / Fleet",
    "All hosts at a glance: which are guarded, which are not and why, and how hard they are attacked.",
    refresh="5m",
)
HOST: Final = Identity(
    "fail2ban-host",
    "fail2ban / Host",
    "One host, or a few: whether fail2ban guards it and since when, which jail brought it down, what each jail does.",
    refresh="1m",
)

_TAGS: Final = ["fail2ban"]
_ALL: Final = VariableOption(selected=True, text=["All"], value=["$__all"])

Row: TypeAlias = "tuple[str, Sequence[PanelBuilder]]"
"""A heading and what stands under it."""


class Mark(AnnotationQuery):
    """An annotation by a query of Prometheus.

    The SDK's own type knows only Grafana's built-in store. The query is given twice, since releases
    of Grafana differ in where they look for it.
    """

    def __init__(self, name: str, color: str, expr: str, text: str, *, value_is_time: bool = False) -> None:
        """Mark where the query is above zero or, with ``value_is_time``, the moments (in ms) that it returns."""
        super().__init__(name=name, datasource=DATASOURCE, enable=True, icon_color=color, expr=expr)
        self._text = text
        self._value_is_time = value_is_time

    def to_json(self) -> dict[str, object]:
        """Return the SDK's fields and those of the data source."""
        own = {
            "target": {"datasource": DATASOURCE, "expr": self.expr, "range": True, "refId": "Anno"},
            "titleFormat": self.name,
            "textFormat": self._text,
            "tagKeys": "job,instance,jail",
            "useValueForTime": self._value_is_time,
        }
        return {**super().to_json(), **own}


class _Built(Builder[AnnotationQuery]):
    def __init__(self, mark: Mark) -> None:
        self._mark = mark

    def build(self) -> AnnotationQuery:
        return self._mark


def variables(*, jail: bool) -> list[Builder[VariableModel]]:
    """Return what can be chosen at the top: data source, job, instance and, if wanted, jail; all of them at first."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    source.description("The Prometheus that scrapes the exporters.")
    chosen: list[Builder[VariableModel]] = [
        source,
        _variable("job", "Scrape jobs that have fail2ban exporters.", "fail2ban_up"),
        _variable("instance", "Hosts.", 'fail2ban_up{job=~"$job"}'),
    ]
    if jail:
        chosen.append(_variable("jail", "Jails of the chosen hosts.", of("fail2ban_jail_up")))
    return chosen


def _variable(name: str, meaning: str, selector: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(name.capitalize()).description(meaning).datasource(DATASOURCE)
    variable.query(f"label_values({selector}, {name})").sort(VariableSort.ALPHABETICAL_ASC).current(_ALL)
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return variable.multi(multi=True).include_all(include_all=True).all_value(".+")


def _link(other: Identity) -> dashboard.DashboardLink:
    url = f"/d/{other.uid}?${{datasource:queryparam}}&${{job:queryparam}}"
    link = dashboard.DashboardLink(other.title).type(DashboardLinkType.LINK).icon("dashboard").url(url)
    return link.keep_time(keep_time=True)


def build(
    identity: Identity, choices: list[Builder[VariableModel]], marks: list[Mark], rows: Sequence[Row]
) -> Dashboard:
    """Return a dashboard: nothing in it is left for Grafana to number or to place."""
    other = HOST if identity is FLEET else FLEET
    built = dashboard.Dashboard(identity.title).uid(identity.uid).description(identity.meaning).tags(_TAGS)
    built.readonly().refresh(identity.refresh).time("now-6h", "now").tooltip(DashboardCursorSync.CROSSHAIR)
    built.variables(choices).annotations([_Built(mark) for mark in marks]).link(_link(other))
    for heading, panels in rows:
        built.with_row(dashboard.Row(heading))
        for panel in panels:
            built.with_panel(panel)
    result = built.build()
    for number, panel_or_row in enumerate(result.panels or (), start=1):
        panel_or_row.id_val = number
    return result
