"""The rules as they are checked in: what tests of them, of the runbooks and of the configuration read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.metrics import DEFINITIONS
from exporter.own import OwnMetrics

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "dashboards" / "rules"
RULE_FILES: Final = (RULES / "recording.yml", RULES / "alerts.yml")
RULE_TESTS: Final = tuple(sorted((RULES / "tests").glob("*.yml")))


def groups() -> Iterator[dict[str, Any]]:
    """All rule groups of all files."""
    for path in RULE_FILES:
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]


def alerts() -> list[dict[str, Any]]:
    """All alerts."""
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def records() -> list[dict[str, Any]]:
    """All recording rules."""
    return [rule for group in groups() for rule in group["rules"] if "record" in rule]


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each moment at which a test looks at an alert, with the name of the test."""
    for path in RULE_TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in test.get("alert_rule_test", []):
                yield test["name"], case


def exported_names() -> set[str]:
    """The names of all samples that the exporter may serve."""
    names = {definition.name for definition in DEFINITIONS}
    histograms = {definition.name for definition in DEFINITIONS if definition.kind == "histogram"}
    names |= {name + suffix for name in histograms for suffix in ("_bucket", "_count", "_sum")} - histograms
    return names | {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}


def words(expression: str) -> set[str]:
    """The words of a PromQL expression outside of comments, matchers, strings and durations."""
    bare = re.sub(r'"[^"]*"', "", re.sub(r"#.*", "", expression))
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|offset \S+", "", bare)
    return set(re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", bare))
