"""Latencies land in the right buckets, or every quantile that is drawn of them is wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.health import Histogram

DURATIONS = st.lists(st.floats(min_value=0, max_value=1000), max_size=50)


@pytest.mark.parametrize(
    ("timeout", "last_bounds"),
    [
        pytest.param(10.0, (2.5, 5.0, 10.0), id="the default"),
        pytest.param(7.0, (2.5, 5.0, 7.0), id="between two bounds"),
        pytest.param(60.0, (5.0, 10.0, 60.0), id="above all bounds"),
        pytest.param(0.0005, (0.0002, 0.0005), id="equal to a bound"),
        pytest.param(0.0001, (0.0001,), id="below all bounds"),
    ],
)
def test_the_last_bound_is_the_timeout_whatever_it_is(timeout: float, last_bounds: tuple[float, ...]) -> None:
    bounds = Histogram.up_to(timeout).bounds

    assert last_bounds == bounds[-len(last_bounds) :]
    assert sorted(set(bounds)) == list(bounds)


def test_the_first_bound_resolves_the_fastest_probe() -> None:
    assert Histogram.up_to(10).bounds[0] == 0.0002


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        pytest.param(0.0, 0.0002, id="zero"),
        pytest.param(0.0002, 0.0002, id="on a bound"),
        pytest.param(0.00021, 0.0005, id="just above one"),
        pytest.param(10.0, 10.0, id="the timeout"),
        pytest.param(10.01, math.inf, id="a timeout that was a little late"),
    ],
)
def test_a_duration_falls_into_the_first_bucket_whose_bound_is_not_below_it(value: float, bound: float) -> None:
    counts = dict(Histogram.up_to(10).observe(value).cumulative())

    assert counts[bound] == 1
    assert all(count == (1 if upper >= bound else 0) for upper, count in counts.items())


@given(DURATIONS)
def test_no_duration_is_lost_and_none_counted_twice(durations: list[float]) -> None:
    histogram = Histogram.up_to(10)
    for duration in durations:
        histogram = histogram.observe(duration)

    for bound, count in histogram.cumulative():
        assert count == sum(duration <= bound for duration in durations)
    assert histogram.cumulative()[-1] == (math.inf, len(durations))
    assert math.isclose(histogram.total, math.fsum(durations), abs_tol=1e-9)


def test_observing_leaves_the_histogram_that_a_scrape_holds_as_it_was() -> None:
    before = Histogram.up_to(10)
    before.observe(1.0)

    assert before == Histogram.up_to(10)
