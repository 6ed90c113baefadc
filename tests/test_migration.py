"""docs/migration.md leads nobody to a name that is not there."""

import re

import pytest

from exporter.compat import F2B
from exporter.metrics import DEFINITIONS
from exporter.own import OwnMetrics
from exporter.settings import KNOWN
from tests.migration import moves


def exported() -> set[str]:
    """The names of our samples."""
    own = {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    return own | {definition.name for definition in DEFINITIONS}


def names(texts: list[str]) -> set[str]:
    """The names of metrics at the beginning of each text."""
    return {name[0] for text in texts if (name := re.match(r"(?:f2b|fail2ban)_\w+", text))}


def test_every_metric_of_the_older_exporter_is_in_the_table() -> None:
    assert {name for move in moves("Names") for name in names(move.old)} == {one.name for one in F2B}


def test_each_of_them_leads_to_metrics_that_there_are() -> None:
    for move in moves("Names"):
        assert names(move.new)
        assert names(move.new) <= exported()


@pytest.mark.parametrize("definition", F2B, ids=lambda one: one.name)
def test_help_and_the_table_say_the_same(definition: object) -> None:
    [helped] = [one for one in F2B if one is definition]
    told = {name for move in moves("Names") if helped.name in names(move.old) for name in names(move.new)}

    assert set(re.findall(r"fail2ban_\w+", helped.help)) <= told


def test_flags_and_variables_are_those_that_there_are() -> None:
    flags = {word for move in moves("Flags and environment") for word in move.new if word.startswith("--")}
    variables = {word for move in moves("Flags and environment") for word in move.new if word.isupper()}

    assert flags - {"--version"} <= {setting.flag for setting in KNOWN}
    assert variables <= {setting.env for setting in KNOWN}
    assert flags
    assert variables


def test_no_move_leads_nowhere() -> None:
    assert [len(moves(heading)) > 2 for heading in ("Names", "Alerts", "From the geo exporter")] == [True] * 3
    assert all(move.old and move.new for heading in ("Names", "Alerts") for move in moves(heading))
