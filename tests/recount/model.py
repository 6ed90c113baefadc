"""A model of fail2ban with one jail, and of an exporter that looks at it: what is known is exact, time is counted."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from exporter.fail2ban import Ban, JailLook
from exporter.health import BansRecounted, Health, Policy, ProbeEnded, reduce, reduce_all
from exporter.tally import Tally
from tests.snapshots import jail, server, success

START = 1_700_000_000.0
PATIENCE = 1.5
LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Made:
    """One ban that fail2ban made."""

    number: int
    start: float
    """As fail2ban dates it: the second of the failure."""
    end: float

    def listed(self) -> Ban:
        """As fail2ban lists it."""
        start, end = (str(datetime.fromtimestamp(at)) for at in (self.start, self.end))  # noqa: DTZ006  # as fail2ban prints it
        return Ban(f"{self.number}\t{start}", start, int(self.end - self.start), end)


@dataclass
class Model:
    """What happened, and what a scraper of every snapshot saw.

    Attributes:
        lost: Bans that were made and over while nobody looked, before a restart: no exporter can know of them.
        slack: How many more bans than were restored may have been, by all that was known at the restarts; and where
            one of the jail alone left no trace in its figures, how many that it had counted were not restored.
    """

    now: float = START + 100.25
    bans: int = 0
    lost: int = 0
    slack: int = 0
    shown: list[int | None] = field(default_factory=list)
    health: Health = field(default_factory=lambda: Health.initial(10, Policy(patience=PATIENCE)))
    _banned: dict[int, Made] = field(default_factory=dict)
    _database: dict[int, Made] = field(default_factory=dict)
    _made: dict[int, Made] = field(default_factory=dict)
    _known: frozenset[int] = frozenset()
    _total: int = 0
    _process: int = 0
    _unnoticed: int = 0
    _run: int = 0

    def pass_time(self, seconds: float) -> None:
        """Let time pass; bans end."""
        self.now += seconds
        self._banned = {number: made for number, made in self._banned.items() if made.end >= self.now}

    def ban(self, seconds: int, lag: float = 0.0) -> None:
        """Ban a new address for failures of `lag` seconds ago."""
        self.bans += 1
        made = Made(self.bans, float(int(self.now - lag)), float(int(self.now - lag) + seconds))
        if made.end < self.now:  # too late: fail2ban ignores it
            self.bans -= 1
            return
        self._total += 1
        self._banned[made.number] = self._database[made.number] = self._made[made.number] = made

    def unban(self) -> None:
        """Take back the latest ban."""
        if self._banned:
            number = max(self._banned)
            del self._banned[number], self._database[number]

    def restart(self, *, process: bool, seconds: float) -> None:
        """Start the jail anew, alone or with the server's process, which takes so long."""
        self._process += process
        self.pass_time(seconds)
        self._banned = {number: made for number, made in self._database.items() if made.end > self.now}
        self._total = len(self._banned)
        kept = self.health.bans.jails.get("sshd")
        most = kept.shown.banned if kept is not None and kept.shown is not None else 0
        self.slack += max(0, most - len(self._banned.keys() & self._known))
        if kept is not None and kept.run is not None:
            restored = len(self._banned.keys() & self._known)
            self._unnoticed = max(self._unnoticed, kept.run.total - restored)
            self._run = kept.run.number
        self.lost += len(self._made.keys() - self._known - self._banned.keys())
        self._made = dict(self._banned)
        self._known &= self._banned.keys()

    def exporter_restarts(self) -> None:
        """Start the exporter anew: what is not saved is forgotten."""
        self.health = replace(
            Health.initial(10, Policy(patience=PATIENCE)),
            bans=self.health.bans,
            server_identity=self.health.server_identity,
        )

    def probe(self) -> None:
        """Probe; look for restored bans if that is needed, until they are found, and probe again."""
        self._probe()
        for question in self.health.bans.questions():
            tally = Tally(question, self.now)
            while (recount := tally.add(self._look(), 0.0, self.now, self.now)) is None:
                self.pass_time(LOOK_SECONDS)
            self.health = reduce(self.health, BansRecounted(recount, self.now, self.now))
            self._probe()

    def _look(self) -> JailLook:
        return JailLook(self._total, tuple(made.listed() for made in self._banned.values()))

    def _probe(self) -> None:
        found = jail(banned=len(self._banned), bans=self._total, failures=self._total)
        probe = success(found, server=server(identity=f"pid:{self._process}:1", start_time=START))
        self.health = reduce_all(self.health, [ProbeEnded(probe, self.now, self.now)])
        bans = self.health.bans.of("sshd")
        self.shown.append(bans)
        kept = self.health.bans.jails["sshd"]
        if kept.run is not None and kept.run.number == self._run:
            self.slack += self._unnoticed
        self._unnoticed, self._run = 0, 0
        if bans is not None and kept.run is not None and bans == kept.run.total - (kept.run.restored or 0):
            self._known = frozenset(self._made)
