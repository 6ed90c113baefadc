"""One jail watched closely for a short time, over a connection of its own, beside the probes."""

from __future__ import annotations

import time
from collections.abc import Callable

from exporter.fail2ban import commands
from exporter.fail2ban.connection import Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import ask_one, for_version
from exporter.fail2ban.replies import answer, count, word


class JailWatch:
    """A connection on which one jail's bans are asked for, cheaply: one short reply a question.

    Belongs to one thread. All of it raises `ProbeError` when fail2ban ended, or did not answer in time: the connection
    ends with the server's process, so answers on it are all of one process.
    """

    def __init__(self, path: str, jail: str, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Connect to the socket at `path`.

        Args:
            path: the server's UNIX socket.
            jail: a name for which `commands.has_readable_settings` holds.
            timeout: seconds for each question, and for connecting.
            clock: monotonic seconds.

        Raises:
            ProbeError: as `Connection` does.
        """
        self._jail = jail
        self._timeout = timeout
        self._clock = clock
        self._connection = Connection(path, self._deadline())
        try:
            self._dialect = for_version(word(answer(self._connection.ask(commands.VERSION, self._deadline()))))
        except BaseException:
            self._connection.close()
            raise

    def max_retries(self) -> int:
        """Return how many failures get an address banned."""
        return count(answer(self._connection.ask(commands.property_of(self._jail, "maxretry"), self._deadline())))

    def bans(self) -> int | None:
        """Return how many bans the jail has counted since it was started; None if it does not run."""
        counts = ask_one(self._connection, self._dialect, self._jail, self._deadline())
        return None if counts is None else counts.bans

    def close(self) -> None:
        """Close the connection; again does nothing."""
        self._connection.close()

    def _deadline(self) -> Deadline:
        return Deadline.after(self._timeout, self._clock)
