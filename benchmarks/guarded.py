"""A real fail2ban with many jails and many bans."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.programs import fail2ban
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import DEADLINE, wait_until

_AT_ONCE: Final = 2_000
ADDRESSES: Final = 2**14
"""As many does each jail have for itself, if there is more than one: where all ban the same, replies are shorter."""


class Guarded:
    """A running server, and the banning of addresses in it: spread evenly, by its own ``banip``."""

    def __init__(self, server: RealFail2ban, jails: int) -> None:
        self.server = server
        self._names = _names(jails)
        self._banned = dict.fromkeys(self._names, 0)

    def ban(self, total: int) -> None:
        """Ban until so many addresses are banned in all jails together, and wait until fail2ban has done so."""
        for number, name in enumerate(self._names):
            share = total // len(self._names) + (number < total % len(self._names))
            while self._banned[name] < share:
                first = self._banned[name]
                last = min(first + _AT_ONCE, share)
                addresses = [address(number * ADDRESSES + index) for index in range(first, last)]
                self.server.ask(["set", name, "banip", *addresses], DEADLINE)
                self._banned[name] = last
        wait_until(lambda: self._count() == total, lambda: f"{total} bans, not {self._count()}", 4 * DEADLINE)

    def _count(self) -> int:
        total = 0
        for name in self._names:
            _, value = self.server.ask(["status", name, "short"], DEADLINE)
            total += dict(dict(value)["Actions"])["Currently banned"]
        return total


def address(number: int) -> str:
    """Return one of the addresses that are banned, from 0."""
    return f"10.{(number >> 16) & 255}.{(number >> 8) & 255}.{number & 255}"


def _names(jails: int) -> list[str]:
    return [f"jail-{number:03}" for number in range(jails)]


@contextmanager
def guarded(version: str, jails: int) -> Iterator[Guarded]:
    """Run a server of this version, with actions that do nothing and without a database."""
    described = [Jail(name, bantime="1d") for name in _names(jails)]
    with (
        tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder,
        RealFail2ban(fail2ban(version), Path(folder), described, database=False) as server,
    ):
        server.start()
        yield Guarded(server, jails)
