"""Activations of jails: when they may have happened, and which two tellings are of one and the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

_MAX_EARLIER: Final = 8


class Source(StrEnum):
    """Who told of an activation; the closed label set of ``fail2ban_activations_total``."""

    OBSERVED = "observed"
    """The jail appeared between two online probes of one server process."""
    CONFIGURED = "configured"
    """The configuration began to enable it."""
    REPORTED = "reported"
    """A tool said so."""


@dataclass(frozen=True, slots=True)
class Span:
    """A moment that is known only to lie between two others, in monotonic seconds; they are equal where it is known."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Activation:
    """A jail's latest activation, by all that was told of it."""

    happened: Span
    """From the first moment at which it may have happened to the last: a jail that is enabled in the configuration is
    loaded only later, and each telling adds what it knows."""
    counted: float
    """Monotonic seconds of the telling that was counted."""
    timestamp: float
    """UTC epoch seconds of the latest telling."""
    edited: float | None = None
    """The first moment at which an edit may have enabled it, in monotonic seconds; None if no edit was told of."""
    dated: float | None = None
    """The moment at which it happened, in monotonic seconds, by whoever knows it; None if nobody told."""
    earlier: tuple[Span, ...] = ()
    """When the jail was activated before, oldest first: an outage under way may be due to that."""

    def may_have_caused(self, went_down: Span, window: float) -> bool:
        """Tell whether the server went down at a moment within `window` seconds after this activation may have been."""
        spans = (*self.earlier, self.happened)
        return any(span.start <= went_down.end and went_down.start <= span.end + window for span in spans)

    def is_told_by(self, happened: Span, window: float) -> bool:
        """Tell whether what is said to have happened then is this activation, told again."""
        return happened.start <= self.counted + window and self.happened.start <= happened.end + window

    def is_over(self, now: float, window: float) -> bool:
        """Tell whether nothing that happens from now on can be put down to it, or is it told again."""
        return now > max(self.happened.end, self.counted) + window


@dataclass(frozen=True, slots=True)
class Telling:
    """What somebody tells of a jail's activation."""

    happened: Span
    timestamp: float
    """UTC epoch seconds of that."""
    source: Source | None
    """None for a look that shows at last what was told of before: when it was loaded, but no other activation."""

    @property
    def dated(self) -> float | None:
        """The moment, if the one who tells knows it."""
        return self.happened.start if self.source is Source.REPORTED else None


def told_of(
    known: Mapping[str, Activation], jail: str, telling: Telling, window: float
) -> tuple[Mapping[str, Activation], bool]:
    """Add what was told of an activation.

    The same jail again within the window of the one that was counted is the same activation, whoever tells.

    Returns:
        The activations, and whether this is one that was not told of before.
    """
    former, happened = known.get(jail), telling.happened
    if former is not None and former.is_told_by(happened, window):
        return {**known, jail: _told_again(former, telling)}, False
    if former is not None and happened.end < former.happened.start:
        # An older one, told of late: it counts, and the later one stays the latest.
        earlier = _joined(former.earlier, happened, window)
        is_new = len(earlier) > len(former.earlier)
        return {**known, jail: replace(former, earlier=earlier[-_MAX_EARLIER:])}, is_new
    earlier = () if former is None else former.earlier
    if former is not None and not (telling.dated is not None and _holds(former.happened, telling.dated)):
        earlier = _joined(earlier, former.happened, window)  # unless a look had shown it already, to the moment
    activation = Activation(
        happened,
        counted=happened.end if telling.source is not None or former is None else former.counted,
        timestamp=telling.timestamp,
        edited=happened.start if telling.source is Source.CONFIGURED else None,
        dated=telling.dated,
        earlier=earlier[-_MAX_EARLIER:],
    )
    return {**known, jail: activation}, True


def _joined(spans: tuple[Span, ...], span: Span, window: float) -> tuple[Span, ...]:
    """Add a span, unless it is one of those, told again."""
    near = [one for one in spans if span.start <= one.end + window and one.start <= span.end + window]
    if near:
        return tuple(_hull(one, span) if one is near[-1] else one for one in spans)
    return tuple(sorted((*spans, span), key=lambda one: one.start))


def _told_again(former: Activation, telling: Telling) -> Activation:
    """Join what is known: a moment that somebody knows stands for every look around it, but not for an edit."""
    happened, edited = telling.happened, former.edited
    if telling.source is Source.CONFIGURED:
        edited = happened.start if edited is None else min(edited, happened.start)
    joined = _hull(former.happened, happened)
    dated = former.dated if telling.dated is None else telling.dated
    if former.dated is not None and _holds(happened, former.dated):
        joined = former.happened
    elif former.dated is None and dated is not None and _holds(former.happened, dated):
        joined = happened
    if edited is not None:
        joined = Span(min(joined.start, edited), joined.end)
    timestamp = max(former.timestamp, telling.timestamp)
    return replace(former, happened=joined, timestamp=timestamp, edited=edited, dated=dated)


def _holds(span: Span, moment: float) -> bool:
    return span.start <= moment <= span.end


def _hull(one: Span, other: Span) -> Span:
    return Span(min(one.start, other.start), max(one.end, other.end))
