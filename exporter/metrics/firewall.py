"""The metrics of the check of the firewall, of which there is none while it is off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.families import Definition, Kind, Row
from exporter.metrics.rows import JAIL, one
from exporter.model import Enforcement
from exporter.snapshot import Snapshot


def _by_enforcement(read: Callable[[Enforcement], float]) -> Callable[[Snapshot], Iterator[Row]]:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        running = {jail.name for jail in snapshot.probe.jails} if snapshot.probe else set()
        for jail in snapshot.firewall.jails if snapshot.firewall else ():
            if jail.jail in running:
                yield (jail.jail,), read(jail)

    return rows


def _firewall_check_success(snapshot: Snapshot) -> float | None:
    return None if snapshot.firewall is None else snapshot.firewall.fault is None


FIREWALL: Final = (
    Definition(
        "fail2ban_jail_enforced_ips",
        Kind.GAUGE,
        "Banned addresses that are in the firewall, as of the latest check (--firewall.check); "
        "of jails whose actions put them there in a way that is known.",
        _by_enforcement(lambda jail: jail.enforced),
        JAIL,
    ),
    Definition(
        "fail2ban_jail_unenforced_ips",
        Kind.GAUGE,
        "Addresses that were banned at the latest check and at the one before, and are not in the firewall.",
        _by_enforcement(lambda jail: jail.unenforced),
        JAIL,
    ),
    Definition(
        "fail2ban_firewall_check_success",
        Kind.GAUGE,
        "1 when the latest comparison of the bans with the firewall could be made for every jail, else 0.",
        one(_firewall_check_success),
    ),
)
"""In the order in which they are served."""
