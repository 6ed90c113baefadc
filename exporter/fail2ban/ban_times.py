"""When bans were made: fail2ban prints local time, to the second and without a zone.

The exporter takes it for its own zone, unless what is printed says otherwise: a ban that is listed has begun and has
not ended. Where it does, fail2ban's zone is as many quarters of an hour away as fit, and closest to ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from exporter.fail2ban.replies import not_fail2ban, text

PERMANENT: Final = -1
_TIME: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
# What was banned may be anything that a filter finds: only the end of the line is fail2ban's own.
_LINE: Final = re.compile(rf"(.*) \t({_TIME}) \+ (-?\d{{1,18}}) = ({_TIME})", re.DOTALL)
_SLACK: Final = 300.0
"""Seconds that a ban may be listed before it begins, by a log whose clock is ahead, or after its end."""
_QUARTER: Final = 900
_WIDEST: Final = 26 * 3600
"""Seconds between the two zones that are furthest apart."""
_MARGIN: Final = timedelta(hours=3)
"""More than any zone's clocks are ever set back."""


class Ban(NamedTuple):
    r"""A line such as ``192.0.2.1 \t2026-11-25 01:25:00 + 600 = 2026-11-25 01:35:00``."""

    name: str
    """What was banned and when: equal for one and the same ban."""
    start: str
    seconds: int
    """How long it lasts; -1 for ever."""
    end: str


def read(value: object) -> list[Ban]:
    """Return the bans of a reply to ``get JAIL banip --with-time``.

    Raises:
        ProtocolError: it is anything else.
    """
    if type(value) is not list:
        raise not_fail2ban("something else in the place of a list")
    bans = []
    for line in value:
        match = _LINE.fullmatch(text(line))
        if match is None:
            raise not_fail2ban("a ban of an unknown shape")
        banned, start, seconds, end = match.groups()
        bans.append(Ban(f"{banned}\t{start}", start, int(seconds), end))
    return bans


def zone_shift(bans: Iterable[Ban], now: float) -> float | None:
    """Return by how many seconds what is printed, if it were of our zone, comes before what is meant.

    Args:
        bans: as they are listed at one time.
        now: that time, in UTC epoch seconds.

    Returns:
        0 wherever that is possible; None where no zone fits.
    """
    latest, earliest = float("inf"), float("-inf")
    bans = list(bans)
    try:
        if bans:
            latest = now + _SLACK - min(_moments(max(ban.start for ban in bans)))
        if ends := [ban.end for ban in bans if ban.seconds != PERMANENT]:
            earliest = now - _SLACK - max(_moments(min(ends)))
    except (ValueError, OverflowError, OSError):
        return None
    if earliest <= 0 <= latest:
        return 0.0
    quarters = range(0, _WIDEST + 1, _QUARTER)
    return next((float(shift) for each in quarters for shift in (each, -each) if earliest <= shift <= latest), None)


def dated_until(bans: Iterable[Ban], moment: float, now: float, shift: float = 0.0) -> list[Ban]:
    """Return the bans that are dated up to a moment.

    Args:
        bans: as they are listed.
        moment: in UTC epoch seconds.
        now: when they were listed, in UTC epoch seconds.
        shift: see `zone_shift`.
    """
    printed = datetime.fromtimestamp(moment - shift)  # noqa: DTZ006  # as fail2ban prints it
    # As texts, which compare as the times do, but where clocks are set back.
    certainly, possibly = (
        str((printed - _MARGIN).replace(microsecond=0)),
        str((printed + _MARGIN).replace(microsecond=0)),
    )
    return [
        ban
        for ban in bans
        if ban.start <= certainly or (ban.start <= possibly and _start(ban, now - shift) <= moment - shift)
    ]


def _start(ban: Ban, now: float) -> float:
    """Return when a ban began, in UTC epoch seconds of our zone.

    In the hour that is twice when clocks are set back, the one that fits: it has begun, and has not ended. If both do,
    which takes a ban that lasts for ever, the first.
    """
    starts = _moments(ban.start)
    if len(starts) > 1 and ban.seconds != PERMANENT:
        ends = _moments(ban.end)
        starts = [start for start in starts if any(abs(start + ban.seconds - end) <= 1 for end in ends)] or starts
        starts = [start for start in starts if start + ban.seconds >= now - _SLACK] or starts
    return min([start for start in starts if start <= now + _SLACK] or starts)


def _moments(printed: str) -> list[float]:
    """Return the moment, or both, at which clocks of our zone show this."""
    local = datetime.fromisoformat(printed)
    return sorted({local.timestamp(), local.replace(fold=1).timestamp()})
