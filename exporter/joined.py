"""The snapshot that everybody is shown: the prober's, with what other threads found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from exporter.health import Canary
from exporter.model import BanCounts, Files, FirewallCheck
from exporter.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Findings:
    """Where the latest findings of the other threads are had from, by the snapshot's field that shows them.

    Each returns another object when there is news, and None while there is nothing to show. They may be called from
    any thread.
    """

    canary: Callable[[], Canary | None] = lambda: None
    firewall: Callable[[], FirewallCheck | None] = lambda: None
    files: Callable[[], Files | None] = lambda: None
    geoip: Callable[[], BanCounts | None] = lambda: None


_NAMES = tuple(field.name for field in fields(Findings))


class JoinedSnapshot:
    """Joins what each thread published by a single assignment; of the same parts always into the same object.

    May be called from any thread.
    """

    def __init__(self, probed: Callable[[], Snapshot], findings: Findings) -> None:
        """Take the sources; the prober's snapshot, too, is another object when there is news."""
        self._probed = probed
        self._readers = [(name, getattr(findings, name)) for name in _NAMES]
        self._latest: tuple[Snapshot, dict[str, Any], Snapshot] | None = None

    def __call__(self) -> Snapshot:
        """Return the latest snapshot."""
        return self.of(self._probed())

    def of(self, probed: Snapshot) -> Snapshot:
        """Return one of the prober's snapshots with the latest of the others."""
        found = {name: read() for name, read in self._readers}
        if self._latest is not None:
            joined_of, joined_with, joined = self._latest
            if joined_of is probed and all(joined_with[name] is part for name, part in found.items()):
                return joined
        nothing = all(part is None for part in found.values())
        joined = probed if nothing else replace(probed, **found)
        self._latest = probed, found, joined
        return joined
