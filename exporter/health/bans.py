"""Bans that count once: how many of those that fail2ban counts were restored from its database.

fail2ban counts a ban that it restores, at its start or at that of one jail, like one that it makes. So whenever a jail
counts anew its restored bans are looked for once, away from the probe, among those that it lists with their times.
Restored are those that were made before the moment at which the last ban was counted that has been shown already.
Pure; times are monotonic seconds where not called a UTC epoch time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.model import Jail, Probe

MAX_ABSENT: Final = 1_000
"""Jails that do not run and whose figures are kept; the one that has been away for longest leaves first."""
BASELINE_SECONDS: Final = 10.0
"""After the first answer of all, jails that appear ran before or are just being started by a server that did."""
SETTLED_SECONDS: Final = 60.0
"""A server that has run for so long when it is seen first has restored what it was to restore."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a jail's bans last, and what is known of the jail as it was then."""

    bans: int
    since: float
    """UTC epoch time at which fail2ban was first seen to have counted these: all of them were made before."""
    banned: int
    """Addresses that were banned at the latest probe that counted no more bans than these: no more can be restored."""


@dataclass(frozen=True, slots=True)
class Run:
    """A jail from one start of it to its end, within one process of the server."""

    number: int
    """No two runs have the same."""
    total: int
    """Bans that fail2ban counted, as of the latest probe."""
    banned: int
    """Addresses that were banned then."""
    restored: int | None
    """How many of them were restored; None until that is known."""
    as_of: int = 0
    """The total from which on that holds: fewer were counted before all of the restored ones were."""
    since: float | None = None
    """When its bans were first shown; None until then."""
    floor: int = 0
    """What was shown before: to be undercut for a while, or scrapes would not see that the count began anew."""


@dataclass(frozen=True, slots=True)
class JailBans:
    """What is known of one jail's bans; without a run it does not run, or not in the process that was seen last."""

    shown: Shown | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """How many of the bans that a jail counts were restored? Asked of one run of it."""

    jail: str
    """Its name, as a probe spells it."""
    server: str
    """The identity of the server's process."""
    run: int
    until: float
    """UTC epoch time: bans that are dated up to then were restored."""
    most: int | None
    """More than so many can't have been; None where that is not known."""
    is_settled: bool = False
    """Whether the jail has run for so long that none is yet to be restored."""

    def restored(self, listed: int, gone: int) -> int:
        """Return how many bans were restored.

        Args:
            listed: bans that were listed by now and are dated so.
            gone: bans that were counted and had ended before they could be listed. In a jail that was not looked at
                for longer than its bans last, some of these may be new ones: that many are taken for restored, and no
                more than `most`. Where the most is not known, none is.
        """
        return listed if self.most is None else min(self.most, listed + gone)


@dataclass(frozen=True, slots=True)
class Recount:
    """The answer to a question."""

    jail: str
    server: str
    run: int
    restored: int
    total: int
    """Bans that fail2ban had counted by then."""


@dataclass(frozen=True, slots=True)
class Bans:
    """What is known of all jails' bans."""

    server: str | None = None
    """The identity of the server's process that was seen last."""
    jails: Mapping[str, JailBans] = field(default_factory=dict)
    """By name; first those that do not run, in the order in which they were last seen."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures that each running jail had counted: when there are fewer, it was started anew."""
    began: float | None = None
    """When a server was seen for the first time of all."""
    started: float | None = None
    """UTC epoch time at which the server's process started, where that can be seen."""
    seen: float = 0.0
    """UTC epoch time of the latest probe that was answered."""
    runs: int = 0

    def of(self, jail: str) -> int | None:
        """Return the bans of a running jail that were made in this run of it; None until that is known."""
        kept = self.jails.get(jail)
        if kept is None or kept.shown is None or kept.run is None or kept.run.since is None:
            return None
        return kept.shown.bans

    def questions(self) -> tuple[Question, ...]:
        """Return what has to be asked before all jails' bans are known."""
        if self.server is None:
            return ()
        return tuple(
            self._question(jail, kept, kept.run, self.server)
            for jail, kept in self.jails.items()
            if kept.run is not None and kept.run.restored is None
        )

    def _question(self, jail: str, kept: JailBans, run: Run, server: str) -> Question:
        if kept.shown is not None:
            # To a second, as fail2ban keeps the time of a ban in its database: rounded, so perhaps to a later one.
            return Question(jail, server, run.number, math.floor(kept.shown.since + 0.5), kept.shown.banned)
        started = self.started or 0.0
        return Question(jail, server, run.number, started, None, self.seen - started > SETTLED_SECONDS)

    def of_another_boot(self, seconds: float) -> Bans:
        """Return what still holds after a boot of the machine, whose monotonic times are that much later."""
        jails = {name: replace(kept, run=None) for name, kept in self.jails.items()}
        began = None if self.began is None else self.began + seconds
        return replace(self, server=None, jails=jails, failures={}, began=began)

    def essence(self) -> Bans:
        """Return what of it is worth writing down when it changes."""
        return replace(self, failures={}, seen=0.0)


def after_probe(bans: Bans, probe: Probe, at: float, timestamp: float, patience: float) -> Bans:
    """Return what is known after a probe.

    Args:
        bans: what was known before.
        probe: what it found.
        at: monotonic seconds.
        timestamp: UTC epoch seconds.
        patience: seconds for which a count that began anew stays below what was shown before.
    """
    server = probe.server
    if server is None:
        return bans
    if server.identity != bans.server:
        jails = {name: replace(kept, run=None) for name, kept in bans.jails.items()}
        bans = replace(bans, server=server.identity, jails=jails, failures={}, started=server.start_time)
    bans = replace(bans, began=at if bans.began is None else bans.began, seen=timestamp)
    present = {jail.name for jail in probe.jails}
    is_whole = probe.jail_count == len(present)
    absent = {
        # One that was gone and is back was started anew. Where names can't be told apart, it may not have been gone.
        name: replace(kept, run=None) if is_whole and kept.run is not None else kept
        for name, kept in bans.jails.items()
        if name not in present
    }
    for name in list(absent)[: max(0, len(absent) - MAX_ABSENT)]:
        del absent[name]
    running, runs = {}, bans.runs
    for jail in probe.jails:
        run = _run_of(bans, jail)
        if run is None:
            runs += 1
            run = _new_run(bans, jail, at, runs)
        kept = bans.jails.get(jail.name) or JailBans()
        running[jail.name] = _counted(
            replace(kept, run=replace(run, total=jail.bans, banned=jail.banned)), jail, at, timestamp, patience
        )
    failures = {jail.name: jail.failures for jail in probe.jails}
    return replace(bans, jails=absent | running, failures=failures, runs=runs)


def _run_of(bans: Bans, jail: Jail) -> Run | None:
    """Return the run that the jail is still in; None if this is another one."""
    kept = bans.jails.get(jail.name)
    run = None if kept is None else kept.run
    if run is None or jail.bans < run.total or jail.failures < bans.failures.get(jail.name, 0):
        return None
    # Each address more that is banned is a ban more, but right after a start, when bans come from the database.
    return None if jail.banned - run.banned > jail.bans - run.total else run


def _new_run(bans: Bans, jail: Jail, at: float, number: int) -> Run:
    kept = bans.jails.get(jail.name)
    if kept is not None and kept.shown is not None:
        # What was not banned any more can't be restored: then there is nothing to ask.
        return Run(number, jail.bans, jail.banned, restored=None if kept.shown.banned else 0, floor=kept.shown.bans)
    is_first = bans.began is None or at <= bans.began + BASELINE_SECONDS
    if is_first or kept is not None:
        # Bans from before anybody looked are nobody's news: the series begins at what they are.
        return Run(number, jail.bans, jail.banned, restored=0 if bans.started is None else None)
    # A jail that never ran before: a series that is born at 1 would never show in an increase.
    return Run(number, jail.bans, jail.banned, restored=0, floor=1)


def _counted(kept: JailBans, jail: Jail, at: float, timestamp: float, patience: float) -> JailBans:
    """Return the jail with its bans shown, if they are known."""
    run, shown = kept.run, kept.shown
    if run is None or run.restored is None or run.total < run.as_of:
        return kept
    bans = max(0, run.total - run.restored)
    since = at if run.since is None else run.since
    if run.since is None:
        run = replace(run, since=at)
        if shown is not None:
            shown = replace(shown, bans=0)
        elif run.floor:
            shown = Shown(0, timestamp, 0)
    if bans >= run.floor > 0 and at < since + patience:
        return JailBans(shown, run)
    if shown is not None and shown.bans == bans:
        return JailBans(replace(shown, banned=jail.banned), run)
    return JailBans(Shown(bans, timestamp, jail.banned), run)


def after_recount(bans: Bans, recount: Recount) -> Bans:
    """Return what is known after an answer; one about another run of the jail says nothing."""
    kept = bans.jails.get(recount.jail)
    if kept is None or kept.run is None or kept.run.restored is not None or recount.server != bans.server:
        return bans
    if kept.run.number != recount.run:
        return bans
    run = replace(kept.run, restored=recount.restored, as_of=recount.total)
    return replace(bans, jails={**bans.jails, recount.jail: replace(kept, run=run)})
