"""Every query of the dashboards as Grafana would send it, out of the checked-in JSON that Grafana reads."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parents[2] / "dashboards" / "grafana"
NAMES: Final = ("fleet", "host")

EMPTY_WHEN_WELL: Final = frozenset(
    {
        ("fleet", "Jails that keep fail2ban down", "A"),
        ("fleet", "Jails missing, by host", "A"),
        ("host", "Jails that brought fail2ban down", "A"),
        ("host", "Jails that brought fail2ban down", "B"),
        ("host", "Jails that brought fail2ban down", "C"),
        ("host", "Jails", "M"),
        ("host", "Canary: time to the ban", "A"),
        ("host", "Canary: time to the ban", "B"),
        ("host", "Canary: attacks by result", "A"),
    }
)
"""Queries (dashboard, panel, ref) that find nothing while all is well, no jail was activated and no canary is on."""


@dataclass(frozen=True)
class Choice:
    """What is chosen in a dashboard: regular expressions for the labels, durations as PromQL writes them.

    Attributes:
        job: Scrape jobs.
        instance: Hosts.
        jail: Jails.
        rate_interval: What Grafana makes of `$__rate_interval`: four scrape intervals or more.
        range: The time shown.
    """

    job: str = ".+"
    instance: str = ".+"
    jail: str = ".+"
    rate_interval: str = "5m"
    range: str = "1h"

    def filled_in(self, expr: str) -> str:
        """The expression with the values in place of the variables; KeyError for one that no dashboard has."""
        values = {
            "job": _quoted(self.job),
            "instance": _quoted(self.instance),
            "jail": _quoted(self.jail),
            "__rate_interval": self.rate_interval,
            "__range": self.range,
        }
        return re.sub(r"\$\{?(\w+)\}?", lambda variable: values[variable[1]], expr)


class PanelQuery(NamedTuple):
    """One query.

    Attributes:
        dashboard: One of `NAMES`.
        panel: The panel's title, unique in its dashboard; an annotation's or a variable's name.
        ref: The query's letter.
        expr: What Prometheus is asked.
        instant: Whether it is asked for now; else over the time shown.
    """

    dashboard: str
    panel: str
    ref: str
    expr: str
    instant: bool

    @property
    def empty_when_well(self) -> bool:
        """Whether no data is what one hopes to see."""
        return (self.dashboard, self.panel, self.ref) in EMPTY_WHEN_WELL


def load(dashboard: str) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{dashboard}.json").read_text(encoding="utf-8"))
    return loaded


def panels(dashboard: str) -> list[dict[str, Any]]:
    """A dashboard's panels, without the headings of rows."""
    return [panel for panel in load(dashboard)["panels"] if panel["type"] != "row"]


def panel_queries(choice: Choice | None = None) -> Iterator[PanelQuery]:
    """Every query of every panel of every dashboard; without a choice, with Grafana's variables as they stand."""
    for name in NAMES:
        for panel in panels(name):
            for target in panel["targets"]:
                expr = choice.filled_in(target["expr"]) if choice else target["expr"]
                yield PanelQuery(name, panel["title"], target["refId"], expr, target.get("instant", False))


def annotation_queries(choice: Choice | None = None) -> Iterator[PanelQuery]:
    """Every query of every annotation; most are empty when all is well."""
    for name in NAMES:
        for annotation in load(name)["annotations"]["list"]:
            target = annotation["target"]
            expr = choice.filled_in(target["expr"]) if choice else target["expr"]
            yield PanelQuery(name, annotation["name"], target["refId"], expr, instant=False)


def variable_selectors(choice: Choice | None = None) -> Iterator[PanelQuery]:
    """The selector of every variable whose values are those of a label."""
    for name in NAMES:
        for variable in load(name)["templating"]["list"]:
            if variable["type"] == "query":
                selector = variable["query"].removeprefix("label_values(").rpartition(",")[0]
                expr = choice.filled_in(selector) if choice else selector
                yield PanelQuery(name, variable["name"], variable["name"], expr, instant=True)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
