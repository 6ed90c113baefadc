"""What takes too long, or too much, for a probe: every banned address, every action. On a connection of its own."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from exporter.fail2ban import commands, jail_actions
from exporter.fail2ban.connection import MAX_BULK_BYTES, Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.dialects import check_names, for_version, tells_all_bans
from exporter.fail2ban.failures import ServerError
from exporter.fail2ban.jail_actions import JailAction
from exporter.fail2ban.process import ServerProcess
from exporter.fail2ban.replies import answer, not_fail2ban, printable, word
from exporter.fail2ban.traces import SocketTraces


class Bulk:
    """A conversation with the server at one socket path, closed with its block. Belongs to one thread.

    Every method raises `ProbeError` when the server does not answer before the one deadline of the conversation.
    """

    def __init__(self, path: str, timeout: float) -> None:
        """Connect.

        Raises:
            ProbeError: as `Connection` does.
        """
        self._deadline = Deadline.after(timeout)
        self._connection = Connection(path, self._deadline, MAX_BULK_BYTES)
        self._process = ServerProcess.of_peer(self._connection.socket)
        self.pid = self._process.pid
        """The server's process, where it can be seen."""
        self.identity = self._process.identity or f"socket:{SocketTraces.look(path).socket}"
        """Equal for one process of the server, as that of a probe's `Server`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.close()

    def jails(self) -> list[str]:
        """Return the names of the running jails, as fail2ban spells them."""
        version = word(answer(self._connection.ask(commands.VERSION, self._deadline)))
        return [jail.name for jail in for_version(version).ask(self._connection, self._deadline).jails]

    def actions(self, jails: Iterable[str]) -> dict[str, tuple[JailAction, ...]]:
        """Return the actions of each jail, as `jail_actions.read` does."""
        return jail_actions.read(self._connection, jails, self._deadline)

    def bans(self, jails: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return what each jail bans now: addresses, networks, or whatever else its filter finds.

        A jail that has vanished meanwhile is left out.
        """
        names = list(jails)
        found: dict[str, frozenset[str]] = {}
        replies = self._connection.ask_all([commands.banned_in(jail) for jail in names], self._deadline)
        for jail, reply in zip(names, replies, strict=True):
            try:
                banned = answer(reply)
            except ServerError:
                continue
            if type(banned) is not list:
                raise not_fail2ban("something else in the place of a list")
            found[jail] = frozenset(one for one in banned if type(one) is str)
        return found

    def banned(self) -> dict[str, list[str]]:
        """Return what each jail bans now, as `bans` does, of all jails by one request; by their printable names.

        A reply is ``[{'sshd': ['192.0.2.1', '2001:db8::1']}, {'nginx': []}]``.

        Raises:
            ProbeError: also for a version before 0.11.2, which has no such command.
        """
        version = word(answer(self._connection.ask(commands.VERSION, self._deadline)))
        if not tells_all_bans(version):
            raise ServerError(f"fail2ban {printable(version)} does not tell all its bans at once; 0.11.2 and later do")
        jails = answer(self._connection.ask(commands.BANNED, self._deadline))
        if type(jails) is not list:
            raise not_fail2ban("something else in the place of a list")
        found: dict[str, list[str]] = {}
        for jail in jails:
            if type(jail) is not dict or len(jail) != 1:
                raise not_fail2ban("bans of no jail")
            ((name, banned),) = jail.items()
            if type(banned) is not list:
                raise not_fail2ban("something else in the place of a list")
            found[printable(name)] = [one for one in banned if type(one) is str]
        check_names(list(found))
        return found
