"""The snapshot that everybody is shown: the prober's, with what other threads found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.model import FirewallCheck
from exporter.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class _Parts:
    probed: Snapshot
    firewall: FirewallCheck | None
    joined: Snapshot


class JoinedSnapshot:
    """Joins what each thread published by a single assignment; of the same parts always into the same object.

    May be called from any thread.
    """

    def __init__(self, probed: Callable[[], Snapshot], firewall: Callable[[], FirewallCheck | None]) -> None:
        """Take the sources: each returns the latest value of its thread, and another object when there is news."""
        self._probed = probed
        self._firewall = firewall
        self._latest: _Parts | None = None

    def __call__(self) -> Snapshot:
        """Return the latest snapshot."""
        probed, firewall, latest = self._probed(), self._firewall(), self._latest
        if latest is None or latest.probed is not probed or latest.firewall is not firewall:
            joined = probed if firewall is None else replace(probed, firewall=firewall)
            latest = _Parts(probed, firewall, joined)
            self._latest = latest
        return latest.joined
