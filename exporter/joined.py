"""The snapshot that everybody is shown: the prober's, with what other threads found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.health import Canary
from exporter.model import FirewallCheck
from exporter.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class _Parts:
    probed: Snapshot
    canary: Canary | None
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
        self._canary: Canary | None = None
        self._latest: _Parts | None = None

    def show_canary(self, canary: Canary | None) -> None:
        """Take what is known of the canary from now on; None while it is off."""
        self._canary = canary

    def __call__(self) -> Snapshot:
        """Return the latest snapshot."""
        return self.of(self._probed())

    def of(self, probed: Snapshot) -> Snapshot:
        """Return one of the prober's snapshots with the latest of the others."""
        canary, firewall, latest = self._canary, self._firewall(), self._latest
        if (
            latest is None
            or latest.probed is not probed
            or latest.canary is not canary
            or latest.firewall is not firewall
        ):
            nothing = canary is None and firewall is None
            joined = probed if nothing else replace(probed, canary=canary, firewall=firewall)
            latest = _Parts(probed, canary, firewall, joined)
            self._latest = latest
        return latest.joined
