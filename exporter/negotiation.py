"""Which of the formats that the exporter speaks a client gets, by its ``Accept`` and ``Accept-Encoding``.

Decided here and not by prometheus_client 0.26, which ignores ``q``, echoes any version, and raises on a malformed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final


class Format(Enum):
    """The three formats, most preferred first among equals; the value is the whole ``Content-Type``."""

    OPENMETRICS_1_0_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
    TEXT_1_0_0 = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
    TEXT_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"

    @property
    def is_openmetrics(self) -> bool:
        """Whether the body is in OpenMetrics rather than in the Prometheus text format."""
        return self is Format.OPENMETRICS_1_0_0


_MEDIA: Final = {
    Format.OPENMETRICS_1_0_0: ("application/openmetrics-text", "1.0.0"),
    Format.TEXT_1_0_0: ("text/plain", "1.0.0"),
    Format.TEXT_0_0_4: ("text/plain", "0.0.4"),
}
_MAX_RANGES: Final = 50
"""Media ranges that are looked at; Prometheus sends five."""


def choose_format(accept: str) -> Format:
    """Return the format that the client likes best, and text 0.0.4 if it likes none or does not say.

    A media range names a format only with its version: ``text/plain`` without one means 0.0.4, which everything that
    reads the text format understands, and OpenMetrics without one is 1.0.0.
    """
    best, best_quality = Format.TEXT_0_0_4, 0.0
    for media, parameters, quality in _ranges(accept):
        chosen = _named(media, parameters.get("version"))
        if chosen is None or quality == 0 or quality < best_quality:
            continue
        order = list(Format)
        if quality > best_quality or order.index(chosen) < order.index(best):
            best, best_quality = chosen, quality
    return best


def _named(media: str, version: str | None) -> Format | None:
    if media in ("*/*", "text/*"):
        return Format.TEXT_0_0_4
    if version is None:
        version = "1.0.0" if media == "application/openmetrics-text" else "0.0.4"
    return next((known for known, named in _MEDIA.items() if named == (media, version)), None)


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether the client takes gzip: named, or by ``*``, with a quality above 0."""
    qualities = {coding: quality for coding, _, quality in _ranges(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _ranges(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Take apart ``text/plain;version=0.0.4;q=0.5, */*;q=0.1``; what is malformed is passed over."""
    for part in header.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        name, *rest = (piece.strip() for piece in part.split(";"))
        parameters = {}
        for piece in rest:
            key, _, value = piece.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        quality = _quality(parameters.get("q", "1"))
        if name and quality is not None:
            yield name.lower(), parameters, quality


def _quality(text: str) -> float | None:
    if not text or any(character not in "0123456789." for character in text):
        return None
    try:
        quality = float(text)
    except ValueError:
        return None
    return quality if quality <= 1 else None
