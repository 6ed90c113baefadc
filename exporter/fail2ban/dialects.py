"""How each version of fail2ban is asked for its jails, cheapest first, without an unknown command ever sent.

An unknown command is an error in fail2ban's own log, so the version decides, not a trial. Costs were measured with 50
jails and 25,000 bans.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.fail2ban import commands
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.pickles import Value
from exporter.fail2ban.replies import LogFiles, RemoteFault, answer, count, not_fail2ban, pairs, text, word

MAX_JAILS: Final = 10_000
MAX_NAME_LENGTH: Final = 1_000
MAX_NAMES_LENGTH: Final = 2**19
"""Of all names together: each is sent five times."""

_TOO_MANY_NAMES: Final = (
    f"over {MAX_JAILS:,} jails, a name of over {MAX_NAME_LENGTH:,} characters, or {MAX_NAMES_LENGTH:,} in all names"
)
_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(.*)", re.DOTALL)


class JailCounts(NamedTuple):
    """One jail's answer, under its name as fail2ban spells it."""

    name: str
    failed: int
    failures: int
    banned: int
    bans: int
    backend: str | None
    log_files: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Roster:
    """The running jails: how many, and the counts of those that could be told."""

    count: int
    jails: tuple[JailCounts, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The way to ask one range of versions."""

    name: str
    ask: Callable[[Connection, Deadline], Roster]
    tells_log_files: bool
    """Whether the counts come with the log files, so that they need not be asked for."""


def for_version(version: str) -> Dialect:
    """Return the cheapest dialect that this version certainly speaks; the plainest for one that can't be parsed.

    A development version (``1.1.0.dev1``) counts as older than the release it leads to.
    """
    release = _release(version)
    if release >= (1, 1, 0):
        return STATS
    if release >= (0, 11, 0):
        return SHORT
    return PLAIN


def tells_all_bans(version: str) -> bool:
    """Tell whether this version certainly knows ``banned``."""
    return _release(version) >= (0, 11, 2)


def _release(version: str) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(version)
    if match is None:
        return 0, 0, 0
    major, minor, patch, suffix = match.groups()
    return int(major), int(minor), int(patch or 0) - (1 if suffix else 0)


def _ask_stats(connection: Connection, deadline: Deadline) -> Roster:
    """One request: ``{'sshd': ['polling', (1, 5), (1, 1)]}``, failed and failures, banned and bans."""
    jails = answer(connection.ask(commands.STATS, deadline))
    if type(jails) is not dict:
        raise not_fail2ban("an answer to 'stats' that is no table of jails")
    check_names(list(jails))
    return Roster(len(jails), tuple([_from_stats(name, jails[name]) for name in sorted(jails)]))


def _from_stats(name: str, jail: Value) -> JailCounts:
    match jail:
        case [backend, (failed, failures), (banned, bans)]:
            return JailCounts(name, count(failed), count(failures), count(banned), count(bans), word(backend), None)
        case _:
            raise not_fail2ban("an answer to 'stats' with a jail of an unknown shape")


def _ask_short(connection: Connection, deadline: Deadline) -> Roster:
    return _ask_each(connection, deadline, commands.short_status_of)


def _ask_plain(connection: Connection, deadline: Deadline) -> Roster:
    return _ask_each(connection, deadline, commands.status_of)


def _ask_each(connection: Connection, deadline: Deadline, request: Callable[[str], list[str]]) -> Roster:
    """The list of names, then every jail's status, all written at once.

    A jail that has vanished since the list was made, or whose status is an error, costs that jail only.
    """
    total, listed = _names(answer(connection.ask(commands.STATUS, deadline)))
    names = [name for name in listed if commands.can_be_asked_for(name)]
    jails = []
    log_files = LogFiles()
    fault = None
    replies = connection.ask_all([request(name) for name in names], deadline)
    for name, reply in zip(names, replies, strict=True):
        try:
            jails.append(_from_status(name, answer(reply), log_files))
        except RemoteFault as error:
            if error.no_such_jail:
                total -= 1
            else:
                fault = error
    if fault is not None and not jails:
        raise fault
    return Roster(total, tuple(jails))


def ask_one(connection: Connection, dialect: Dialect, jail: str, deadline: Deadline) -> JailCounts | None:
    """Ask for one jail alone, without its addresses where the version can; None if no such jail runs."""
    request = commands.status_of(jail) if dialect is PLAIN else commands.short_status_of(jail)
    try:
        status = answer(connection.ask(request, deadline))
    except RemoteFault as error:
        if error.no_such_jail:
            return None
        raise
    return _from_status(jail, status, LogFiles())


def _names(status: Value) -> tuple[int, list[str]]:
    """Take apart ``[('Number of jail', 2), ('Jail list', 'nginx, sshd')]``.

    The names are joined with ``", "``, which a name may hold too: where the parts are not as many as the jails, no
    name can be told, and none is guessed.
    """
    fields = pairs(status)
    total = count(fields.get("Number of jail"))
    listed = text(fields.get("Jail list"))
    if total > MAX_JAILS:
        raise not_fail2ban(_TOO_MANY_NAMES)
    names = listed.split(", ", total) if total else []
    if len(names) != total or len(set(names)) != total:
        return total, []
    check_names(names)
    return total, names


def _from_status(name: str, status: Value, log_files: LogFiles) -> JailCounts:
    """Take apart ``[('Filter', [('Currently failed', 1), …]), ('Actions', [('Currently banned', 1), …])]``.

    A journal-backed jail has ``Journal matches`` in place of ``File list``.
    """
    sections = pairs(status)
    found, acted = pairs(sections.get("Filter")), pairs(sections.get("Actions"))
    return JailCounts(
        name=name,
        failed=count(found.get("Currently failed")),
        failures=count(found.get("Total failed")),
        banned=count(acted.get("Currently banned")),
        bans=count(acted.get("Total banned")),
        backend=None,
        log_files=log_files.take(found["File list"]) if "File list" in found else None,
    )


def check_names(names: list[str]) -> None:
    """Refuse more names, or longer ones, than any server has."""
    lengths = [len(name) for name in names]
    if len(names) > MAX_JAILS or max(lengths, default=0) > MAX_NAME_LENGTH or sum(lengths) > MAX_NAMES_LENGTH:
        raise not_fail2ban(_TOO_MANY_NAMES)


STATS: Final = Dialect("stats", _ask_stats, tells_log_files=False)
"""1.1.0 and later: one round trip, 0.2 ms."""
SHORT: Final = Dialect("short", _ask_short, tells_log_files=True)
"""0.11 and 1.0: two round trips, 0.8 ms."""
PLAIN: Final = Dialect("plain", _ask_plain, tells_log_files=True)
"""All others: two round trips, but every banned address is sent."""
