"""Checking passwords against bcrypt hashes, which takes long by design, without anybody else waiting for it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

_LONGEST_PASSWORD = 72
"""Bytes; bcrypt looks at no more, and Python's refuses more."""
_REMEMBERED = 1000
_MOST_WAITING = 64
_MOST_WAITING_FOR_AN_ADDRESS = 8
_DECOY = "." * 53
"""The salt and digest of a hash that no password has."""


class BusyError(Exception):
    """Too many passwords wait to be checked; this one was not."""


@dataclass(eq=False)
class _Check:
    key: bytes
    password: bytes
    stored: bytes
    answer: asyncio.Future[bool]


class Passwords:
    """Checks one password at a time, in a thread of its own, and remembers the outcome.

    What is remembered is found by a hash with a key that never leaves the process, so that no password is kept, and a
    user whose password changed is checked again. Those that were right are remembered apart from those that were
    wrong, of which anybody can send as many as he likes. Clients take turns by their address, so that one who sends
    many does not keep others waiting.

    All calls come from the event loop's thread.
    """

    def __init__(self, verify: Callable[[bytes, bytes], bool] | None = None) -> None:
        """Begin; the thread starts with the first password.

        Args:
            verify: Whether a password has a hash; bcrypt's own if None.
        """
        self._verify = verify
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: OrderedDict[str, deque[_Check]] = OrderedDict()
        self._work: queue.SimpleQueue[tuple[_Check, asyncio.AbstractEventLoop]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_working = False
        self._is_closed = False

    async def check(self, users: Mapping[str, str], user: str, password: bytes, address: str) -> bool:
        """Tell whether a user has a password.

        For an unknown user a hash of the same cost is computed, so that time does not tell who is known.

        Args:
            users: Bcrypt hashes by user; at least one.
            user: Who he says he is.
            password: What he says.
            address: Where he says it from.

        Raises:
            BusyError: There are too many before him.
        """
        if len(password) > _LONGEST_PASSWORD or b"\0" in password:
            return False
        stored = (users.get(user) or self._decoy(users, user)).encode()
        key = self._hash(user.encode("utf-8", "surrogateescape"), password, stored)
        if key in self._wrong:
            self._wrong.move_to_end(key)
            return False
        is_right = key in self._right or await self._ask(_Check(key, password, stored, _future()), address)
        return is_right and user in users

    def close(self) -> None:
        """Put off all that wait, and all that come: a check may take longer than the process has left."""
        self._is_closed = True
        self._waiting.clear()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(BusyError())
                answer.exception()  # looked at here, in case nobody waits for it any more

    async def _ask(self, check: _Check, address: str) -> bool:
        if pending := self._pending.get(check.key):
            return await asyncio.shield(pending)
        waiting = self._waiting.get(address, ())
        total = sum(map(len, self._waiting.values()))
        if self._is_closed or len(waiting) >= _MOST_WAITING_FOR_AN_ADDRESS or total >= _MOST_WAITING:
            raise BusyError
        self._pending[check.key] = check.answer
        self._waiting.setdefault(address, deque()).append(check)
        self._go_on()
        return await asyncio.shield(check.answer)

    def _go_on(self) -> None:
        """Give the thread the next password, that of the address whose turn it is."""
        if self._is_working or not self._waiting:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="passwords", daemon=True)
            self._thread.start()
        address, checks = self._waiting.popitem(last=False)
        check = checks.popleft()
        if checks:
            self._waiting[address] = checks
        self._is_working = True
        self._work.put((check, asyncio.get_running_loop()))

    def _done(self, check: _Check, *, is_right: bool) -> None:
        self._is_working = False
        del self._pending[check.key]
        remembered = self._right if is_right else self._wrong
        remembered[check.key] = None
        if len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
        if not check.answer.done():
            check.answer.set_result(is_right)
        self._go_on()

    def _run(self) -> None:
        """The thread: bcrypt lets others run meanwhile."""
        verify = self._verify or _bcrypt
        while True:
            check, loop = self._work.get()
            try:
                is_right = verify(check.password, check.stored)
            except Exception:  # noqa: BLE001 - the thread lives on, whatever it is given
                is_right = False
            with suppress(RuntimeError):  # the event loop has ended, and the process with it
                loop.call_soon_threadsafe(partial(self._done, check, is_right=is_right))

    def _decoy(self, users: Mapping[str, str], user: str) -> str:
        """A hash for an unknown user, always the same one, that costs what the hash of some known user does."""
        hashes = sorted(users.values())
        number = int.from_bytes(self._hash(user.encode("utf-8", "surrogateescape")))
        return hashes[number % len(hashes)][:7] + _DECOY

    def _hash(self, *parts: bytes) -> bytes:
        hashed = hashlib.blake2b(key=self._secret, digest_size=24)
        for part in parts:
            hashed.update(len(part).to_bytes(8) + part)
        return hashed.digest()


def _future() -> asyncio.Future[bool]:
    return asyncio.get_running_loop().create_future()


def _bcrypt(password: bytes, stored: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - for those who have users

    return bcrypt.checkpw(password, stored)
