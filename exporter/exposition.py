"""Snapshot to bytes: rendered once for each snapshot and format, family by family, and served from there.

The exporter's own metrics (``process_*``, ``python_*``) change on their own, so they are a second, small part that is
rendered at most once a second and joined on.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client.core import Metric

from exporter import rendering
from exporter.families import Definition
from exporter.metrics import DEFINITIONS
from exporter.negotiation import Format
from exporter.rendering import EOF, Family
from exporter.snapshot import Snapshot

OWN_MAX_AGE: Final = 1.0
"""Seconds for which the exporter's own metrics are served again as they are."""
_GZIP_LEVEL: Final = 1  # a scrape is read once: a faster pass is worth more than the last tenth of its size


class Collects(Protocol):
    """A registry of the exporter's own metrics."""

    def collect(self) -> Iterable[Metric]:
        """Return the families with their present samples."""
        ...


class Exposition:
    """Serves the latest snapshot as text. Belongs to the thread of the web server."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        own: Collects,
        clock: Callable[[], float] = time.monotonic,
        *,
        definitions: Sequence[Definition] = DEFINITIONS,
        own_max_age: float = OWN_MAX_AGE,
    ) -> None:
        """Prepare.

        Args:
            snapshot: returns the latest snapshot.
            own: the exporter's own metrics.
            clock: monotonic seconds.
            definitions: which metrics are made of a snapshot, in the order in which they are served.
            own_max_age: seconds for which the exporter's own metrics are served again as they are.
        """
        self._snapshot = snapshot
        self._own = own
        self._clock = clock
        self._definitions = definitions
        self._own_max_age = own_max_age
        self._shown: tuple[Snapshot, bool] | None = None  # the snapshot that is rendered, and whether it was stale
        self._of_fail2ban = _Rendered(list)
        self._of_exporter = _Rendered(list)
        self._exporter_rendered_at = float("-inf")
        self._bodies: dict[tuple[Format, bool], bytes] = {}

    def render(self, form: Format, *, compress: bool = False, names: Collection[str] = ()) -> bytes:
        """Return the body of a scrape.

        Args:
            form: the format.
            compress: whether to gzip it.
            names: if not empty, only families that have a sample of such a name.
        """
        self._refresh()
        if names:
            body = self._join(form, frozenset(names))
            return _gzip(body) if compress else body
        key = (form, compress)
        if key not in self._bodies:
            self._bodies[key] = _gzip(self.render(form)) if compress else self._join(form)
        return self._bodies[key]

    def _refresh(self) -> None:
        """Forget what was rendered of an older snapshot, or of the exporter's own metrics too long ago."""
        now = self._clock()
        latest = self._snapshot()
        shown = (latest, now >= latest.stale_at())
        if self._shown is None or self._shown[0] is not latest or self._shown[1] != shown[1]:
            self._shown = shown
            current = latest.as_of(now)
            self._of_fail2ban = _Rendered(lambda: rendering.of_snapshot(self._definitions, current))
            self._bodies.clear()
        if now - self._exporter_rendered_at >= self._own_max_age:
            self._exporter_rendered_at = now
            self._of_exporter = _Rendered(lambda: rendering.of_library(self._own.collect()))
            self._bodies.clear()

    def _join(self, form: Format, names: frozenset[str] | None = None) -> bytes:
        parts = [*self._of_fail2ban.parts(form), *self._of_exporter.parts(form)]
        texts = [part.text for part in parts if names is None or part.names & names]
        return b"".join([*texts, EOF] if form.is_openmetrics else texts)


@dataclass(frozen=True, slots=True)
class _Part:
    names: frozenset[str]
    text: bytes


class _Rendered:
    """The families of one source at one time, collected when they are first asked for, rendered once a syntax."""

    def __init__(self, collect: Callable[[], list[Family]]) -> None:
        self._collect = collect
        self._families: list[Family] | None = None
        self._by_syntax: dict[bool, list[_Part]] = {}

    def parts(self, form: Format) -> list[_Part]:
        if self._families is None:
            self._families = self._collect()
        openmetrics = form.is_openmetrics
        if openmetrics not in self._by_syntax:
            self._by_syntax[openmetrics] = [
                _Part(family.names, family.text(openmetrics=openmetrics)) for family in self._families
            ]
        return self._by_syntax[openmetrics]


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
