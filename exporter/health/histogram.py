"""A histogram as a value: observing gives a new one."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

_DURATIONS: Final = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of observed durations, in seconds."""

    bounds: tuple[float, ...]
    """Upper bounds, inclusive and ascending; what is above the last falls into one more bucket."""
    counts: tuple[int, ...]
    """One a bucket, not cumulative; one longer than `bounds`."""
    total: float = 0.0

    @classmethod
    def up_to(cls, timeout: float, among: tuple[float, ...] = _DURATIONS) -> Histogram:
        """Return an empty histogram with those of the bounds that are below the timeout, and the timeout."""
        bounds = (*(bound for bound in among if bound < timeout), timeout)
        return cls(bounds=bounds, counts=(0,) * (len(bounds) + 1))

    def observe(self, value: float) -> Histogram:
        """Return the histogram with one more value."""
        counts = list(self.counts)
        counts[bisect_left(self.bounds, value)] += 1
        return replace(self, counts=tuple(counts), total=self.total + value)

    def cumulative(self) -> list[tuple[float, int]]:
        """Return pairs of upper bound and the count of values up to it, the last with an infinite bound."""
        return list(zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True))
