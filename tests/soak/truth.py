"""What was really done to fail2ban, against what the exporter says of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.soak.invariants import Scrape

KINDS = ("clean", "crash", "unknown")


@dataclass
class Truth:
    """The ends and starts of servers.

    Attributes:
        exits: How many ended how that the exporter had seen online.
        unseen: How many ended how that it may have missed, since they were only starting.
        restarts: How many started after the first.
        recoveries: Outages that a jail was to blame for, and that are over.
        jails_begun: See `Follower`.
    """

    exits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    unseen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    restarts: int = 0
    unseen_restarts: int = 0
    jails_begun: int = 0

    def denies(self, scrape: Scrape) -> Iterator[str]:
        """What a scrape says that has not happened; it may be behind, but never ahead."""
        for kind in KINDS:
            told = scrape.value("fail2ban_server_exits_total", kind=kind) or 0
            if told > self.exits[kind] + self.unseen[kind]:
                yield f"{told:g} exits are {kind}, and {self.exits[kind] + self.unseen[kind]} were"
        told = scrape.value("fail2ban_server_restarts_total") or 0
        if told > self.restarts + self.unseen_restarts:
            yield f"{told:g} restarts, and {self.restarts + self.unseen_restarts} were"

    def misses(self, scrape: Scrape) -> Iterator[str]:
        """What has happened, some while ago, that a scrape does not say."""
        for kind in KINDS:
            told = scrape.value("fail2ban_server_exits_total", kind=kind) or 0
            if told < self.exits[kind]:
                yield f"{told:g} exits are {kind}, and {self.exits[kind]} were"
        told = scrape.value("fail2ban_server_restarts_total") or 0
        if told < self.restarts:
            yield f"{told:g} restarts, and {self.restarts} were"
