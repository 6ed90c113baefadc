"""A connection to one server process, with all that is known of that process as long as the connection lasts."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exporter.fail2ban import commands, jail_settings
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import Dialect, JailCounts, for_version
from exporter.fail2ban.failures import ProbeError
from exporter.fail2ban.jail_settings import SettingsRead
from exporter.fail2ban.process import ServerProcess
from exporter.fail2ban.replies import answer, printable, word
from exporter.fail2ban.traces import SocketTraces
from exporter.model import Jail, ProcessUsage, Server


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of a server."""

    server: Server
    jail_count: int
    jails: tuple[Jail, ...]
    database: str | None


class Session:
    """A held connection and the server behind it. Used by the prober's thread alone."""

    def __init__(self, path: str, deadline: Deadline, clock: Callable[[], float]) -> None:
        """Connect to the socket at `path`.

        Raises:
            ProbeError: as `Connection` does.
        """
        self._clock = clock
        self._connection = Connection(path, deadline)
        self.process = ServerProcess.of_peer(self._connection.socket)
        self.traces = SocketTraces.look(path)
        self.identity = self.process.identity or f"socket:{self.traces.socket}"
        self.alive_at = clock()
        """The latest moment at which nothing had ended."""
        self.is_usable = True
        self.is_known = self.process.has_ended() is False
        """Whether the end of this session can be that of a server: its process was seen alive, or it has answered.

        A dying process closes its listening socket last: a connection made in that moment reaches nobody.
        """
        self._connection.meanwhile = self._look_at_process
        self._usage: ProcessUsage | None = None
        self._version: str | None = None
        self._settings: SettingsRead | None = None
        self._counts: tuple[JailCounts, ...] = ()
        self._jails: dict[JailCounts, Jail] = {}
        """What became of these counts: most jails are as they were, probe after probe."""
        self._told: tuple[Jail, ...] = ()

    def ask(self, deadline: Deadline) -> Answer:
        """Ask for everything that a probe wants.

        Raises:
            ProbeError: the answer was not complete in time; the session can then only be watched for its end.
        """
        try:
            found = self._answer(deadline)
        except ProbeError:
            self.is_usable = False
            raise
        self.alive_at = self._clock()
        return found

    def _answer(self, deadline: Deadline) -> Answer:
        # A process can't change its version, so one question a connection is enough.
        if self._version is None:
            self._version = word(answer(self._connection.ask(commands.VERSION, deadline)))
        self.is_known = True
        dialect = for_version(self._version)
        self._usage = None
        roster = dialect.ask(self._connection, deadline)
        settings = self._current_settings(dialect, roster.jails, deadline)
        return Answer(
            server=Server(
                version=printable(self._version),
                identity=self.identity,
                pid=self.process.pid,
                start_time=self.process.start_time,
                usage=self._usage,
                is_trusted=self.process.is_trusted,
            ),
            jail_count=roster.count,
            jails=self._jails_of(roster.jails, settings),
            database=settings.database,
        )

    def _look_at_process(self) -> None:
        """Read what the process uses while it works on an answer: that costs the probe no time."""
        if self._usage is None:
            self._usage = self.process.usage()

    def _current_settings(self, dialect: Dialect, jails: tuple[JailCounts, ...], deadline: Deadline) -> SettingsRead:
        now = self._clock()
        if self._settings is None or not self._settings.is_current(jails, now):
            self._settings = jail_settings.read(self._connection, dialect, jails, deadline, now)
            self._counts, self._jails, self._told = (), {}, ()
        return self._settings

    def _jails_of(self, counts: tuple[JailCounts, ...], settings: SettingsRead) -> tuple[Jail, ...]:
        if counts != self._counts:
            self._jails = {one: self._jails.get(one) or _jail(one, settings) for one in counts}
            self._counts, self._told = counts, _sorted(self._jails.values())
        return self._told

    def has_ended(self) -> bool:
        """Tell whether the connection or the process behind it has ended."""
        if self._connection.has_ended() or self.process.has_ended():
            return True
        if self._connection.has_stray_bytes():
            self.is_usable = False
        return False

    def watched(self) -> list[tuple[int, int]]:
        """Return descriptors and poll events that become ready when the server ends."""
        # Late replies to a request that was given up make the connection readable and mean nothing.
        events = select.POLLRDHUP | (select.POLLIN if self.is_usable else 0)
        process = self.process.fileno()
        return [(self._connection.fileno(), events)] + ([] if process is None else [(process, select.POLLIN)])

    def disconnect(self) -> None:
        """Close the connection and keep the hold on the process."""
        self._connection.close()
        self.is_usable = False

    def close(self) -> None:
        """Close the connection and let go of the process."""
        self.disconnect()
        self.process.close()


def _sorted(jails: Iterable[Jail]) -> tuple[Jail, ...]:
    """Return the jails by name, each name once: two that fail2ban tells apart may be printed alike."""
    by_name = {jail.name: jail for jail in jails}
    return tuple(by_name[name] for name in sorted(by_name))


def _jail(counts: JailCounts, settings: SettingsRead) -> Jail:
    log_files = settings.log_files.get(counts.name) if counts.log_files is None else counts.log_files
    return Jail(
        name=printable(counts.name),
        failed=counts.failed,
        failures=counts.failures,
        banned=counts.banned,
        bans=counts.bans,
        backend=None if counts.backend is None else printable(counts.backend),
        log_files=log_files,
        settings=settings.settings[counts.name],
    )
