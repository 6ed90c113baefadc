"""The chart of latencies: a bar a probe, whatever it took, and the same in words."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from exporter.health import PastProbe
from exporter.model import Result
from exporter.web.chart import latency_chart
from tests.snapshots import TIMESTAMP
from tests.web.markup import Markup


def history(*durations: float, failed: frozenset[int] = frozenset()) -> list[PastProbe]:
    """Probes, half a minute apart."""
    return [
        PastProbe(TIMESTAMP + 30 * n, duration, Result.TIMEOUT if n in failed else Result.SUCCESS)
        for n, duration in enumerate(durations)
    ]


def bars(html: str) -> list[tuple[float, float]]:
    """From where and to which height each bar reaches, in percent."""
    return [
        (float(bar["x"].removesuffix("%")), float(bar["height"].removesuffix("%"))) for bar in Markup(html).all("rect")
    ]


def scale(html: str) -> list[str]:
    """The labels of the lines, the lowest first."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", html)


def test_without_a_probe_there_is_no_chart() -> None:
    assert latency_chart([]) == ""


def test_each_probe_has_a_bar_and_the_latest_is_at_the_right() -> None:
    chart = latency_chart(history(0.001, 0.01, 0.1))

    lefts, heights = zip(*bars(chart), strict=True)
    assert list(lefts) == sorted(lefts)
    assert lefts[-1] > 98
    assert [b - a for a, b in pairwise(heights)] == pytest.approx([29.33, 29.33], abs=0.1)  # one decade each
    assert scale(chart) == ["0.1 ms", "1 ms", "10 ms", "100 ms"]


@pytest.mark.parametrize(
    "durations", [(0.0,), (1e-9,), (0.0001,), (10.0,), (86400.0,), (0.0, 1e9), (0.002,) * 60, (0.001, 10.0) * 30]
)
def test_no_bar_is_unseen_or_leaves_the_chart(durations: tuple[float, ...]) -> None:
    chart = latency_chart(history(*durations))

    for left, height in bars(chart):
        assert 0 <= left < 100
        assert 3.9 <= height <= 92
    assert len(bars(chart)) == len(durations)
    assert 2 <= len(scale(chart))


def test_a_failure_is_told_by_more_than_its_colour() -> None:
    chart = latency_chart(history(0.001, 10.0, 0.001, failed=frozenset({1})))

    assert [bar.get("class") for bar in Markup(chart).all("rect")] == [None, "failed", None]
    assert chart.count('class="mark" aria-hidden="true"') == 1
    assert "1 of them failed (crossed)." in chart


@pytest.mark.parametrize(
    ("probes", "says"),
    [
        (history(0.002), "The only probe so far took 2.00 ms."),
        (history(0.002, failed=frozenset({0})), "The only probe so far took 2.00 ms and failed (crossed)."),
        (
            history(0.001, 0.002, 0.5),
            "The latest 3 probes took 2.00 ms in the median and 500 ms at most. None failed.",
        ),
        (
            history(0.004, 0.001, 0.5, 0.002),
            "The latest 4 probes took 3.00 ms in the median and 500 ms at most. None failed.",
        ),
    ],
)
def test_what_it_shows_is_also_said_in_words(probes: list[PastProbe], says: str) -> None:
    read = Markup(latency_chart(probes))
    [described] = [attributes for attributes in read.all("svg") if attributes.get("role") == "img"]

    assert says in read.text
    assert described["aria-describedby"] == read.all("figcaption")[0]["id"]
    assert described["aria-label"]


def test_the_times_stand_under_the_bars_that_they_are_of() -> None:
    full, few = latency_chart(history(*[0.001] * 60)), latency_chart(history(0.001, 0.001))

    assert "22:13:20 UTC22:42:50 UTC" in Markup(full).text
    assert "22:13:20 UTC to 22:13:50 UTC" in Markup(few).text
