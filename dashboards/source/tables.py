"""Tables: one row for each host or jail, one query for each column, joined by the labels that tell rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.common import FieldTextAlignment, TableCellHeight
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMapping,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.source.panels import WIDTH, Caption, Query, captioned, refs, steps, target

_PLAIN: Final = ()


class Column(NamedTuple):
    """A column.

    Attributes:
        name: Its heading; none hides it: a query that only brings a label has no value worth showing.
        expr: An instant query by the labels of the table's rows.
        unit: The panel's own where it is empty.
        colors: From which value on the figure has which colour.
        mappings: Words in place of values; they colour the cell.
    """

    name: str
    expr: str
    unit: str = ""
    colors: tuple[tuple[float, str], ...] = _PLAIN
    mappings: Sequence[ValueMapping] = ()


class Look(NamedTuple):
    """How a table is shown.

    Attributes:
        sort: The heading that rows are sorted by, largest first.
        links: Where the cells of a label lead, by label.
        span: Its width.
        height: Its height.
    """

    sort: str
    links: dict[str, DashboardLink]
    span: int = WIDTH
    height: int = 10


def rows(caption: Caption, columns: Sequence[Column], look: Look) -> table.Panel:
    """A table; the first column's query says which rows there are."""
    panel = captioned(table.Panel(), caption, look.span, look.height)
    hidden = {"Time": True}
    for index, (ref, query) in enumerate(refs([Query(column.expr) for column in columns])):
        panel.with_target(target(ref, query).instant().format(PromQueryFormat.TABLE))
        column = columns[index]
        if column.name:
            # Grafana leaves the letter out where only one query found anything.
            panel.override_by_regexp(f"/^Value( #{ref})?$/" if index == 0 else f"/^Value #{ref}$/", _shown(column))
        else:
            hidden[f"Value #{ref}"] = True
    for label, link in look.links.items():
        panel.override_by_name(label, [_property("links", [link])])
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": hidden}))
    panel.sort_by([common.TableSortByFieldState().display_name(look.sort).desc(desc=True)])
    return panel.align(FieldTextAlignment.AUTO).cell_height(TableCellHeight.SM).filterable(filterable=True)


def link(title: str, dashboard: str, *labels: str) -> DashboardLink:
    """Return a link of a cell to a dashboard, for the row's labels and the time shown."""
    chosen = "&".join(f"var-{label}=${{__data.fields.{label}:percentencode}}" for label in labels)
    return DashboardLink(title=title, url=f"/d/{dashboard}?${{datasource:queryparam}}&{chosen}&${{__url_time_range}}")


def _shown(column: Column) -> list[DynamicConfigValue]:
    properties = [_property("displayName", column.name)]
    if column.unit:
        properties.append(_property("unit", column.unit))
    if column.mappings:
        properties += [_property("mappings", column.mappings), _colored("color-background")]
    if column.colors:
        properties += [_property("thresholds", steps(*column.colors).build()), _colored("color-text")]
    return properties


def _colored(how: str) -> DynamicConfigValue:
    return _property("custom.cellOptions", {"type": how})


def _property(name: str, value: Any) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)
