"""Durations: what an administrator writes is what the exporter waits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("30s", 30.0, id="seconds"),
        pytest.param("1m30s", 90.0, id="two-units"),
        pytest.param("500ms", 0.5, id="milliseconds-are-not-minutes"),
        pytest.param("1h", 3600.0, id="hour"),
        pytest.param("2d", 172800.0, id="days"),
        pytest.param("1d2h3m4s5ms", 93784.005, id="every-unit"),
        pytest.param("1m5ms", 60.005, id="minutes-then-milliseconds"),
        pytest.param("1.5h", 5400.0, id="fraction-of-a-unit"),
        pytest.param("1m30.1s", 90.1, id="fractions-are-summed-exactly"),
        pytest.param("2.5", 2.5, id="plain-seconds"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("90m", 5400.0, id="more-than-the-next-unit"),
        pytest.param(30, 30.0, id="integer-from-the-file"),
        pytest.param(2.5, 2.5, id="float-from-the-file"),
    ],
)
def test_what_people_write_is_read(text: str | float, seconds: float) -> None:
    assert seconds == durations.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("-1s", id="negative"),
        pytest.param(-1, id="negative-number"),
        pytest.param("nan", id="nan"),
        pytest.param(math.nan, id="nan-number"),
        pytest.param("inf", id="infinite"),
        pytest.param(math.inf, id="infinite-number"),
        pytest.param("9" * 399, id="infinite-once-it-is-a-float"),
        pytest.param("9" * 390 + "d", id="infinite-with-a-unit"),
        pytest.param(10**400, id="integer-beyond-floats"),
        pytest.param(10**5000, id="integer-that-python-does-not-write"),
        pytest.param("9" * 100_000, id="endless-digits"),
        pytest.param("soon", id="nonsense"),
        pytest.param("30 s", id="space-inside"),
        pytest.param(" 30s", id="space-before"),
        pytest.param("30s\n", id="newline-after"),
        pytest.param("30s1m", id="out-of-order"),
        pytest.param("1m1m", id="repeated-unit"),
        pytest.param("5ms1s", id="milliseconds-first"),
        pytest.param("1m30", id="number-without-unit-after-one-with"),
        pytest.param("30S", id="capital-unit"),
        pytest.param("1w", id="unknown-unit"),
        pytest.param("s", id="unit-without-number"),
        pytest.param("1e3", id="exponent"),
        pytest.param("٣s", id="digits-of-another-script"),
        pytest.param(True, id="boolean"),
        pytest.param(None, id="nothing"),
        pytest.param(["30s"], id="list"),
    ],
)
def test_anything_else_is_refused_and_the_message_says_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration such as 30s, 1m30s, 500ms, 1h or 2d, or plain seconds"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-0.0, "0s"),
        (0.01, "10ms"),
        (0.0005, "0.5ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90.5, "1m30.5s"),
        (3600, "1h"),
        (86400, "1d"),
        (90061, "1d1h1m1s"),
    ],
)
def test_a_duration_is_shown_in_one_canonical_form(seconds: float, text: str) -> None:
    assert text == durations.format(seconds)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_what_is_shown_reads_back_as_the_same_duration(seconds: float) -> None:
    assert seconds == durations.parse(durations.format(seconds))


@given(st.text(alphabet="0123456789.dhmse+-_ ٣", max_size=12) | st.text())
@settings(deadline=None)
def test_no_text_is_read_as_a_negative_or_endless_duration(text: str) -> None:
    try:
        seconds = durations.parse(text)
    except ValueError:
        return
    assert 0 <= seconds < math.inf
