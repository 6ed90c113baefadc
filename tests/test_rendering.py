"""What is written without the library is what the library would have written, byte for byte."""

import math
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import rendering
from exporter.families import Definition, Kind, Row
from exporter.metrics import DEFINITIONS
from exporter.snapshot import Snapshot
from tests.snapshots import FOREVER, HOSTILE_NAMES, blamed_snapshot, failure, jail, jail_with, snapshot, success

BARE: Final = jail("bare", backend=None, log_files=None, settings=None)
SNAPSHOTS: Final = {
    "before the first probe": snapshot(),
    "online": snapshot(success(jail("sshd"), FOREVER, BARE), expected=["missing"]),
    "offline": snapshot(success(jail("sshd")), failure()),
    "blamed": blamed_snapshot("sshd", 'quo"te'),
    "hostile names": snapshot(success(*map(jail, HOSTILE_NAMES)), expected=["new\nline too"]),
    "huge": snapshot(success(jail(bans=10**6, failures=10**17), jail_with("odd", ban_time=0.1, find_time=1e21))),
}
# Names are valid UTF-8 by the time that they get here.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.one_of(st.booleans(), st.integers(), st.floats(), st.sampled_from([999_999, 1_000_000, math.inf, -1]))


class Only:
    """A registry of these families."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """All that have a sample."""
        return [family for family in self._families if family.samples]


def by_library(definitions: Sequence[Definition], shown: Snapshot, *, openmetrics: bool) -> bytes:
    registry: Any = Only([definition.family(shown) for definition in definitions])
    if openmetrics:
        text: bytes = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        return text.removesuffix(rendering.EOF)
    return generate_latest(registry)


def by_us(definitions: Sequence[Definition], shown: Snapshot, *, openmetrics: bool) -> bytes:
    families = rendering.of_snapshot(definitions, shown)
    return b"".join(family.text(openmetrics=openmetrics) for family in families)


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
@pytest.mark.parametrize("shown", SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_every_metric_is_written_as_the_library_writes_it(shown: Snapshot, *, openmetrics: bool) -> None:
    expected = by_library(DEFINITIONS, shown, openmetrics=openmetrics)

    assert expected.decode().splitlines() == by_us(DEFINITIONS, shown, openmetrics=openmetrics).decode().splitlines()
    assert expected == by_us(DEFINITIONS, shown, openmetrics=openmetrics)


@given(
    what=st.sampled_from([("a_b", Kind.GAUGE), ("a_b_total", Kind.COUNTER), ("a_b_info", Kind.INFO)]),
    meaning=TEXT,
    rows=st.lists(st.tuples(st.tuples(TEXT, TEXT), NUMBERS), min_size=1, max_size=3),
    openmetrics=st.booleans(),
)
def test_whatever_the_labels_the_numbers_and_the_help(
    *, what: tuple[str, Kind], meaning: str, rows: list[Row], openmetrics: bool
) -> None:
    name, kind = what
    if kind is Kind.INFO:
        rows = [(values, 1) for values, _ in rows]
    shown = snapshot()
    definitions = [Definition(name, kind, meaning, lambda _: rows, ("z", "a"))]

    assert by_library(definitions, shown, openmetrics=openmetrics) == by_us(definitions, shown, openmetrics=openmetrics)


@pytest.mark.parametrize("shown", SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_a_family_goes_by_its_own_name_and_those_of_its_samples(shown: Snapshot) -> None:
    families = [definition.family(shown) for definition in DEFINITIONS]

    assert [{family.name, *(sample.name for sample in family.samples)} for family in families if family.samples] == [
        family.names for family in rendering.of_snapshot(DEFINITIONS, shown)
    ]
