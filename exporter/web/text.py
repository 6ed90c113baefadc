"""Figures, times and names as the status page writes them: plain text, or HTML where a function's name says so."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import Final

_MOST: Final = 10**12
"""Counts from here on are not written out: nobody reads them, and a row must stay a row."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""They print nothing and belong into words of some scripts, and into emoji."""
_MOST_CHARACTERS: Final = 100
"""Of a name that is longer, the beginning and the end are shown."""
_CODE: Final = re.compile("`([^`]*)`")


def count(number: int) -> str:
    """Write a count with separators."""
    return f"{number:,}" if number < _MOST else "≥ 10¹²"


def plural(number: int, name: str) -> str:
    """Write a count of something whose plural is regular."""
    return f"{count(number)} {name}" if number == 1 else f"{count(number)} {name}s"


def age(then: float, now: float) -> str:
    """Write how long ago something was, in its largest unit; never less than no time, if a clock was set back."""
    seconds = max(0, int(now - then))
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            return plural(seconds // unit, name)
    return plural(seconds, "second")


def milliseconds(seconds: float) -> str:
    """Write a duration as a person compares latencies: ``0.84 ms``, ``132 ms``, ``2.5 s``."""
    if seconds >= 1:
        return f"{seconds:,.1f} s"
    return f"{seconds * 1000:.{0 if seconds >= 0.1 else 2 if seconds < 0.01 else 1}f} ms"  # noqa: PLR2004


def time_html(timestamp: float, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Write a UTC epoch time."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment.strftime(form)}</time>'


def advice_html(text: str) -> str:
    """Write a sentence of `exporter.advice`, whose commands stand in backticks."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def sentence(text: str) -> str:
    """Make a sentence of a reason, which begins with a small letter and has no full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('?', '.')) else '.'}"


def name_html(name: str) -> str:
    """Write a jail's name so that it is told apart from any other, whoever chose it.

    What does not print, or would turn the direction of the text about, is written as its escape; blanks at either end
    show by quotes; a very long one is shortened in its middle.
    """
    if len(name) > _MOST_CHARACTERS:
        name = f"{name[: _MOST_CHARACTERS - 30]}…{name[-29:]}"
    shown = name if name.isprintable() else "".join(map(_visible, name))
    if shown != shown.strip() or not shown.strip("".join(_JOINERS)):
        shown = f"“{''.join(map(_visible_strictly, shown))}”"
    return escape(shown)


def _visible(character: str) -> str:
    return character if character in _JOINERS else _visible_strictly(character)


def _visible_strictly(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
