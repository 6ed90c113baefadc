"""Durations as people write them: ``30s``, ``1m30s``, ``500ms``, ``2d``, or plain seconds."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

ACCEPTED = "a duration such as 30s, 1m30s, 500ms, 1h or 2d, or plain seconds such as 2.5"
"""What `parse` takes, in words for a message."""

# Largest first: the order in which a text may use them, each at most once.
_UNITS: dict[str, int | Fraction] = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": Fraction(1, 1000)}

# Not \d, which takes the digits of every script.
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PLAIN = re.compile(_NUMBER)
_PARTS = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in _UNITS))

# The longest text that `format` makes of a float has some 350 characters; longer digits only cost time.
_MAX_LENGTH = 400


def parse(text: str | float) -> float:
    """Read a duration.

    Units are ``d``, ``h``, ``m``, ``s`` and ``ms``, largest first and each at most once; any number may have a
    fraction. A number without a unit, as text or as a number, is seconds.

    Returns:
        Seconds, zero or more, finite.

    Raises:
        ValueError: It is no such duration; the message says what is accepted.
    """
    seconds = _seconds(text)
    # Written so that nan, which compares with nothing, fails as well.
    if seconds is None or not 0 <= seconds < math.inf:
        # Python refuses to write an integer of many digits, and nobody would read a long text.
        readable = type(text) in {str, float} and len(str(text)) <= _MAX_LENGTH
        shown = repr(text) if readable else f"this {type(text).__name__}"
        raise ValueError(f"{shown} is not {ACCEPTED}")
    return seconds + 0.0  # -0.0 becomes 0.0


def format(seconds: float) -> str:  # noqa: A001 - durations.format is what a caller reads, beside durations.parse
    """Write a duration in its canonical form, which `parse` reads back as the same number.

    Whole days, hours and minutes first, then seconds with their fraction; below a second in milliseconds:
    90.5 is ``1m30.5s``, 0.25 is ``250ms``, 0 is ``0s``.

    Raises:
        ValueError: The number is negative, infinite or not a number.
    """
    exact = Decimal(repr(parse(seconds)))
    if 0 < exact < 1:
        return f"{_plain(exact * 1000)}ms"
    whole = int(exact)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count]
    last = rest + (exact - whole)
    if last or not parts:
        parts.append(f"{_plain(last)}s")
    return "".join(parts)


def _seconds(text: object) -> float | None:
    """Return seconds, of any sign and size, or None for what is no duration at all."""
    try:
        # A boolean is an integer to Python, and no duration to anybody.
        if isinstance(text, int | float) and not isinstance(text, bool):
            return float(text)
        if not isinstance(text, str) or not text or len(text) > _MAX_LENGTH:
            return None
        if _PLAIN.fullmatch(text):
            return float(text)
        match = _PARTS.fullmatch(text)
        if match is None:
            return None
        # Summed exactly and rounded once, or 1m30.1s would not be 90.1 s.
        counts = zip(match.groups(), _UNITS.values(), strict=True)
        return float(sum((Fraction(count) * unit for count, unit in counts if count), Fraction()))
    except OverflowError:
        return None


def _plain(number: Decimal) -> str:
    """Write a number without an exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
