"""The bans of some jails with their times, looked at again and again over one connection, beside the probes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from exporter.fail2ban import ban_times, commands
from exporter.fail2ban.ban_times import Ban
from exporter.fail2ban.connection import MAX_BULK_BYTES, Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import PLAIN, for_version
from exporter.fail2ban.failures import ConnectionEndedError, ProtocolError
from exporter.fail2ban.process import ServerProcess
from exporter.fail2ban.replies import RemoteFault, answer, printable, word
from exporter.fail2ban.traces import SocketTraces


@dataclass(frozen=True, slots=True)
class JailLook:
    """A jail at one moment."""

    total: int
    """Bans that it had counted right before they were listed."""
    bans: tuple[Ban, ...] | None
    """Those in force; None if this version does not list their times, or not of a jail of that name, or too many."""


class BanLists:
    """A conversation with the server at one socket path, closed with its block. Belongs to one thread.

    Every method raises `ProbeError` when fail2ban ended, or did not answer in time.
    """

    def __init__(self, path: str, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Connect.

        Args:
            path: the server's UNIX socket.
            timeout: seconds for connecting, and for each look.
            clock: monotonic seconds.

        Raises:
            ProbeError: as `Connection` does.
        """
        self._path = path
        self._timeout = timeout
        self._clock = clock
        deadline = self._deadline()
        self._connect(deadline)
        try:
            self._dialect = for_version(word(answer(self._connection.ask(commands.VERSION, deadline))))
        except BaseException:
            self._connection.close()
            raise

    def _connect(self, deadline: Deadline) -> None:
        self._connection = Connection(self._path, deadline, MAX_BULK_BYTES)
        process = ServerProcess.of_peer(self._connection.socket)
        self.identity = process.identity or f"socket:{SocketTraces.look(self._path).socket}"
        """Equal for one process of the server, as that of a probe's `Server`."""
        process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def look(self, jails: Iterable[str]) -> dict[str, JailLook]:
        """Look at the jails of these names, as a probe spells them; one that does not run is left out."""
        deadline = self._deadline()
        wanted = set(jails)
        roster = self._dialect.ask(self._connection, deadline)
        looks = {}
        for jail in roster.jails:
            name = printable(jail.name)
            if name in wanted:
                try:
                    looks[name] = JailLook(jail.bans, self._bans(jail.name, deadline))
                except RemoteFault as error:
                    if not error.no_such_jail:  # it was not just stopped in between: asked again it would say the same
                        looks[name] = JailLook(jail.bans, None)
        return looks

    def _bans(self, jail: str, deadline: Deadline) -> tuple[Ban, ...] | None:
        if self._dialect is PLAIN or not commands.has_readable_settings(jail):
            return None
        try:
            return tuple(ban_times.read(answer(self._connection.ask(commands.banned_with_times_in(jail), deadline))))
        except ConnectionEndedError:
            raise
        except ProtocolError:
            # Its other replies may be well; this connection would give the rest of this one in their place.
            self._connection.close()
            self._connect(deadline)
            return None

    def _deadline(self) -> Deadline:
        return Deadline.after(self._timeout, self._clock)
