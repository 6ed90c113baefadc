"""One function for each kind of panel: what all of them have in common is said once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

from dashboards.source import queries

DATASOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH: Final = 24
"""Columns of Grafana's grid."""

PanelBuilder: TypeAlias = Builder[Panel]


class Caption(NamedTuple):
    """What every panel says of itself; no panel goes without."""

    title: str
    meaning: str
    unit: str


class Query(NamedTuple):
    """A query, and how its series are called."""

    expr: str
    legend: str = ""


class _Captioned(Protocol):
    """What all panel builders have; they share no base class."""

    def title(self, title: str, /) -> Self: ...
    def description(self, description: str, /) -> Self: ...
    def unit(self, unit: str, /) -> Self: ...
    def datasource(self, datasource: DataSourceRef, /) -> Self: ...
    def with_target(self, target: Builder[Dataquery], /) -> Self: ...
    def span(self, w: int, /) -> Self: ...
    def height(self, h: int, /) -> Self: ...


B = TypeVar("B", bound=_Captioned)


def captioned(panel: B, caption: Caption, span: int, height: int) -> B:
    """Give a panel its caption, the dashboard's data source and its place."""
    panel.title(caption.title).description(caption.meaning).unit(caption.unit)
    return panel.datasource(DATASOURCE).span(span).height(height)


def target(ref: str, query: Query) -> prometheus.Dataquery:
    """Return a query, so far neither instant nor over a range."""
    built = prometheus.Dataquery().ref_id(ref).expr(query.expr).datasource(DATASOURCE)
    return built.editor_mode(QueryEditorMode.CODE).legend_format(query.legend or "__auto")


def refs(asked: Sequence[Query]) -> list[tuple[str, Query]]:
    """Name queries A, B, C and so on, as Grafana does."""
    return list(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(asked)], asked, strict=True))


def mapped(texts: dict[str, tuple[str, str]]) -> list[ValueMapping]:
    """Return the mapping of values to a text and a colour."""
    options = {
        value: ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return [ValueMap(options=options)]


_WORDS: Final = {
    "online": ("online", "green"),
    "unknown": ("unknown", "purple"),
    "inaccessible": ("no permission", "blue"),
    "unresponsive": ("unresponsive", "orange"),
    "offline": ("offline", "red"),
}
STATES: Final = {
    **{str(number): _WORDS[name] for number, name in enumerate(queries.STATES)},
    str(queries.GONE): ("exporter gone", "dark-red"),
}
"""What the numbers of ``queries.state_or_gone`` mean to people."""


def steps(*above: tuple[float, str], base: str = "text") -> dashboard.ThresholdsConfig:
    """Return colours by value: each from its value on, ``base`` below all of them."""
    colors = [Threshold(value=None, color=base), *(Threshold(value=value, color=color) for value, color in above)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(colors)


PLAIN: Final = ()
BAD: Final = ((1, "red"),)
"""Anything from 1 on is bad."""
ODD: Final = ((1, "orange"),)


def _latest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def number(caption: Caption, expr: str, *, colors: tuple[tuple[float, str], ...] = PLAIN, span: int = 4) -> stat.Panel:
    """One figure, as it is now."""
    panel = captioned(stat.Panel(), caption, span, 4)
    panel.with_target(target("A", Query(expr)).instant())
    panel.thresholds(steps(*colors, base="green" if colors else "text")).reduce_options(_latest())
    return panel.color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.NONE)


def state(caption: Caption, query: Query, *, span: int = 4) -> stat.Panel:
    """The state of each host, as a word in its colour."""
    panel = captioned(stat.Panel(), caption, span, 4)
    panel.with_target(target("A", query).instant()).mappings(mapped(STATES)).reduce_options(_latest())
    return panel.color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)


def state_timeline(caption: Caption, query: Query, *, height: int = 6) -> statetimeline.Panel:
    """The state of each host over time; a gap is a time without a scrape."""
    panel = captioned(statetimeline.Panel(), caption, WIDTH, height)
    panel.with_target(target("A", query).range()).mappings(mapped(STATES))
    panel.legend(common.VizLegendOptions().show_legend(show_legend=False).display_mode(LegendDisplayMode.HIDDEN))
    return panel.merge_values(merge_values=True).show_value(VisibilityMode.AUTO).row_height(0.8).per_page(20)


def graph(caption: Caption, *asked: Query, span: int = 12) -> timeseries.Panel:
    """Lines over time, from zero."""
    panel = captioned(timeseries.Panel(), caption, span, 8)
    for ref, query in refs(asked):
        panel.with_target(target(ref, query).range())
    panel.min(0).fill_opacity(10).show_points(VisibilityMode.NEVER)
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().show_legend(show_legend=True).display_mode(LegendDisplayMode.LIST)
    return panel.legend(legend.placement(LegendPlacement.BOTTOM))


def events(caption: Caption, *asked: Query, span: int = 12) -> timeseries.Panel:
    """Bars over time: how many happened in each step.

    Steps are not shorter than the window that Grafana counts in (four scrapes), or one event would stand in many bars.
    """
    panel = graph(caption, *asked, span=span).draw_style(GraphDrawStyle.BARS).fill_opacity(80).interval("2m")
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def bars(caption: Caption, query: Query, *, span: int = 6) -> bargauge.Panel:
    """Lying bars, one for each series, as it is now."""
    panel = captioned(bargauge.Panel(), caption, span, 8)
    panel.with_target(target("A", query).instant()).min(0).thresholds(steps(base="blue")).reduce_options(_latest())
    return panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
