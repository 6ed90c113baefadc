"""Just enough of PromQL to see what the dashboards' queries ask for. Whether they are PromQL at all, promtool says."""

import re
from typing import NamedTuple

_SELECTOR = re.compile(r"(?:(\w+)\()?\b([a-zA-Z_:][\w:]*)\{([^}]*)\}(?:\[([^\]]+)\])?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(by|on|without|ignoring)\s*\(([^)]*)\)")
_OPERATORS = {"and", "or", "unless", "bool", "by", "on"}
_FUNCTIONS = {"rate", "increase", "last_over_time", "histogram_quantile", "round", "time"}
_AGGREGATIONS = {"sum", "max", "min", "count", "topk", "bottomk"}


class Selector(NamedTuple):
    """A selector of series.

    Attributes:
        function: The function that stands immediately around it, or nothing.
        metric: Its metric.
        matchers: As (label, operator, value).
        window: What stands in its square brackets, or nothing.
    """

    function: str
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    window: str


def selectors(expr: str) -> list[Selector]:
    """Every selector of an expression, in its order."""
    return [
        Selector(function, metric, tuple(_MATCHER.findall(matchers)), window)
        for function, metric, matchers, window in _SELECTOR.findall(expr)
    ]


def grouping_labels(expr: str) -> set[str]:
    """Every label that an aggregation or a join of an expression names."""
    return {label.strip() for _, labels in _GROUPING.findall(expr) for label in labels.split(",")}


def other_words(expr: str) -> set[str]:
    """Words that are neither in a selector nor in a grouping nor known: a metric without matchers would be one."""
    rest = _GROUPING.sub(r" \1 ", _SELECTOR.sub(lambda found: f" {found[1] or ''}( ", expr))
    return set(re.findall(r"\b[a-zA-Z_:][\w:]*", rest)) - _OPERATORS - _FUNCTIONS - _AGGREGATIONS
