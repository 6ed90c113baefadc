"""The latency of the latest probes as a bar chart: inline SVG in percentages, so that it fits any width undistorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from exporter.health import PastProbe
from exporter.health.history import MAX_PROBES
from exporter.model import Result
from exporter.web.text import milliseconds, time_html

_LEAST: Final = -4
"""The lowest line of the scale, as a power of ten: 0.1 ms."""
_FOOT: Final = 0.2
"""By how much of a decade, at least, the smallest bar rises above the lowest line that is above 0.1 ms."""
_TOP: Final = 92.0
"""Percent of the height up to which a bar may reach; the rest is for the mark of a failure."""
_SLOT: Final = 100 / MAX_PROBES
_GAP: Final = 0.3
_MARK: Final = '<path d="m-3-3 6 6m0-6-6 6"/>'


def latency_chart(history: Sequence[PastProbe]) -> str:
    """Return a figure with a bar for each probe, the latest at the right, and its summary as text; empty without any.

    The scale is logarithmic, since a healthy fail2ban answers within a millisecond and a stalled one within ten
    seconds. A failure has another colour and a cross on its bar.
    """
    if not history:
        return ""
    exponents = [_exponent(past.duration) for past in history]
    low = max(_LEAST, math.floor(min(exponents) - _FOOT))
    high = max(low + 1, math.ceil(max(exponents)))
    lines = [(power, _height(power, low, high)) for power in range(low, high + 1)]
    first = MAX_PROBES - len(history)
    bars = "".join(
        _bar(first + number, _height(exponent, low, high), past)
        for number, (past, exponent) in enumerate(zip(history, exponents, strict=True))
    )
    labels = "".join(f'<text x="100%" y="{100 - at:.1f}%">{_label(power)}</text>' for power, at in lines)
    grid = "".join(f'<line x1="0" x2="100%" y1="{100 - at:.1f}%" y2="{100 - at:.1f}%"/>' for _, at in lines)
    return (
        f'<figure><figcaption id="latency-summary">{_summary(history)}</figcaption>'
        f'<div class="plot"><svg class="scale" aria-hidden="true">{labels}</svg>'
        f'<svg class="bars" role="img" aria-label="Bar chart of how long each probe took" '
        f'aria-describedby="latency-summary">{grid}{bars}</svg>'
        f'<p class="span">{_span(history)}</p></div></figure>'
    )


def _median(values: Sequence[float]) -> float:
    """Return what `statistics` would, whose import alone takes half a megabyte."""
    ordered, half = sorted(values), len(values) // 2
    return (ordered[half] + ordered[~half]) / 2


def _span(history: Sequence[PastProbe]) -> str:
    """Return the times of the first and the last bar, at either end where the bars fill the width."""
    first, last = (time_html(history[index].ended, "%H:%M:%S UTC") for index in (0, -1))
    if len(history) == MAX_PROBES:
        return f"<span>{first}</span><span>{last}</span>"
    return f"<span></span><span>{last if len(history) == 1 else f'{first} to {last}'}</span>"


def _summary(history: Sequence[PastProbe]) -> str:
    durations = [past.duration for past in history]
    failed = sum(past.result is not Result.SUCCESS for past in history)
    if len(history) == 1:
        return f"The only probe so far took {milliseconds(durations[0])}{' and failed (crossed)' if failed else ''}."
    return (
        f"The latest {len(history)} probes took {milliseconds(_median(durations))} in the median and "
        f"{milliseconds(max(durations))} at most. {f'{failed} of them failed (crossed).' if failed else 'None failed.'}"
    )


def _bar(slot: int, height: float, past: PastProbe) -> str:
    left = slot * _SLOT
    place = f'x="{left + _GAP:.2f}%" y="{100 - height:.1f}%" width="{_SLOT - 2 * _GAP:.2f}%" height="{height:.1f}%"'
    if past.result is Result.SUCCESS:
        return f"<rect {place}/>"
    top = f'x="{left + _SLOT / 2:.2f}%" y="{100 - height:.1f}%"'
    return f'<rect class="failed" {place}/><svg class="mark" aria-hidden="true" {top}>{_MARK}</svg>'


def _exponent(seconds: float) -> float:
    return max(_LEAST, math.log10(seconds)) if seconds > 0 else _LEAST


def _height(exponent: float, low: int, high: int) -> float:
    """Return percent of the height; the lowest line is a little above the bottom, so that each bar is seen."""
    return 4 + (_TOP - 4) * (exponent - low) / (high - low)


def _label(power: int) -> str:
    if power < -3:  # noqa: PLR2004  # below a millisecond
        return "0.1 ms"
    return f"{10 ** (power + 3):,} ms" if power < 0 else f"{10**power:,} s"
