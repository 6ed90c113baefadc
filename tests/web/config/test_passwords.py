"""Passwords: right or wrong, known user or not, in the same time, and without anybody else waiting."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import bcrypt
import pytest

from exporter.web.config.passwords import BusyError, Passwords

_T = TypeVar("_T")

USERS = {name: bcrypt.hashpw(name.encode() * 2, bcrypt.gensalt(4)).decode() for name in ("alice", "bob")}
ALICE = ("alice", b"alicealice", "10.0.0.1")


def run(test: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine, which must come to an end."""
    return asyncio.run(asyncio.wait_for(test(), 60))


class Verifier:
    """Stands in for bcrypt: notes each check, and answers when the test says so."""

    def __init__(self, *, holds: bool = False) -> None:
        self.checked: list[tuple[bytes, bytes]] = []
        self.answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.threads: set[str] = set()
        self._holds = holds

    def __call__(self, password: bytes, stored: bytes) -> bool:
        """Check."""
        self.checked.append((password, stored))
        self.threads.add(threading.current_thread().name)
        return self.answers.get(timeout=60) if self._holds else bcrypt.checkpw(password, stored)


@pytest.mark.parametrize(
    ("user", "password", "is_right"),
    [
        ("alice", b"alicealice", True),
        ("bob", b"bobbob", True),
        ("alice", b"bobbob", False),
        ("alice", b"", False),
        ("carol", b"alicealice", False),
        ("", b"", False),
        ("\udcff", b"alicealice", False),
        ("alice", b"alicealice\0", False),
        ("alice", b"a" * 72, False),
        ("alice", b"a" * 73, False),
        ("alice", b"a" * 10_000, False),
    ],
)
def test_who_is_let_in(user: str, password: bytes, *, is_right: bool) -> None:
    async def both_times() -> list[bool]:
        passwords = Passwords()
        return [await passwords.check(USERS, user, password, "10.0.0.1") for _ in range(2)]

    assert [is_right, is_right] == run(both_times)


def test_a_password_of_bcrypt_s_whole_length_is_let_in() -> None:
    users = {"alice": bcrypt.hashpw(b"a" * 72, bcrypt.gensalt(4)).decode()}

    assert run(lambda: Passwords().check(users, "alice", b"a" * 72, "10.0.0.1"))


def test_an_unknown_user_is_not_let_in_whatever_the_check_says() -> None:
    assert not run(lambda: Passwords(lambda *_: True).check(USERS, "carol", b"x", "10.0.0.1"))


def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    verifier = Verifier()

    async def ask() -> None:
        passwords = Passwords(verifier)
        for user in ("alice", "carol"):
            assert not await passwords.check(USERS, user, b"wrong", "10.0.0.1")

    run(ask)

    (_, known), (_, unknown) = verifier.checked
    assert known[:7] == unknown[:7] == b"$2b$04$"
    assert known[7:] != unknown[7:]
    assert len(known) == len(unknown)


def test_among_users_of_several_costs_an_unknown_one_always_costs_the_same() -> None:
    users = {"alice": USERS["alice"], "bob": USERS["bob"].replace("$04$", "$05$")}
    verifier = Verifier()

    async def ask() -> None:
        passwords = Passwords(verifier)
        for number in range(20):
            for password in (b"1", b"2"):
                await passwords.check(users, f"unknown{number}", password, "10.0.0.1")

    run(ask)

    costs = [stored[:7] for _, stored in verifier.checked]
    assert costs[::2] == costs[1::2]
    assert {b"$2b$04$", b"$2b$05$"} == set(costs)


def test_each_password_is_computed_once() -> None:
    verifier = Verifier()

    async def ask() -> None:
        passwords = Passwords(verifier)
        for _ in range(3):
            assert await passwords.check(USERS, *ALICE)
            assert not await passwords.check(USERS, "alice", b"wrong", "10.0.0.1")
            assert not await passwords.check(USERS, "carol", b"wrong", "10.0.0.1")

    run(ask)

    assert 3 == len(verifier.checked)
    assert {"passwords"} == verifier.threads


def test_one_asked_for_many_times_at_once_is_computed_once() -> None:
    verifier = Verifier()

    async def ask() -> list[bool]:
        passwords = Passwords(verifier)
        return await asyncio.gather(*(passwords.check(USERS, *ALICE) for _ in range(50)))

    assert [True] * 50 == run(ask)
    assert 1 == len(verifier.checked)


def test_a_changed_hash_is_computed_anew() -> None:
    async def ask() -> list[bool]:
        passwords = Passwords()
        changed = {**USERS, "alice": USERS["bob"]}
        return [await passwords.check(users, *ALICE) for users in (USERS, changed, USERS, {"bob": USERS["bob"]})]

    assert [True, False, True, False] == run(ask)


def test_wrong_passwords_by_the_thousand_don_t_make_a_right_one_be_computed_again() -> None:
    verifier = Verifier()

    async def ask() -> None:
        passwords = Passwords(verifier)
        await passwords.check(USERS, *ALICE)
        for number in range(1200):
            await passwords.check(USERS, "alice", str(number).encode(), "10.0.0.2")
        before = len(verifier.checked)
        await passwords.check(USERS, *ALICE)
        assert before == len(verifier.checked)
        assert len(passwords._wrong) == 1000  # noqa: SLF001 - its memory is bounded

    run(ask)


def test_nothing_that_is_remembered_holds_a_password() -> None:
    async def ask() -> str:
        passwords = Passwords()
        await passwords.check(USERS, *ALICE)
        await passwords.check(USERS, "alice", b"hush", "10.0.0.1")
        return str(vars(passwords))

    shown = run(ask)
    assert "alicealice" not in shown
    assert "hush" not in shown


def test_others_are_served_while_a_password_is_computed() -> None:
    verifier = Verifier(holds=True)

    async def ask() -> None:
        passwords = Passwords(verifier)
        slow = asyncio.create_task(passwords.check(USERS, *ALICE))
        await asyncio.sleep(0)
        assert not slow.done()  # and yet here we are
        verifier.answers.put(True)  # noqa: FBT003 - the answer
        assert await slow

    run(ask)


def test_clients_take_turns_by_their_address_and_one_alone_cannot_have_all() -> None:
    verifier = Verifier(holds=True)

    async def ask() -> None:
        passwords = Passwords(verifier)
        flood = [
            asyncio.create_task(passwords.check(USERS, "alice", b"%d" % number, "10.0.0.2")) for number in range(20)
        ]
        await asyncio.sleep(0)
        honest = asyncio.create_task(passwords.check(USERS, *ALICE))
        await asyncio.sleep(0)
        for _ in range(20):
            verifier.answers.put(False)  # noqa: FBT003 - the answer
        await honest
        assert b"alicealice" in [password for password, _ in verifier.checked[:3]]
        ends = await asyncio.gather(*flood, return_exceptions=True)
        assert 11 == sum(isinstance(end, BusyError) for end in ends)

    run(ask)


def test_a_client_that_gave_up_takes_nothing_along() -> None:
    verifier = Verifier(holds=True)

    async def ask() -> None:
        passwords = Passwords(verifier)
        tasks = [asyncio.create_task(passwords.check(USERS, *ALICE)) for _ in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        verifier.answers.put(True)  # noqa: FBT003 - the answer
        assert await tasks[1]

    run(ask)


def test_a_hash_that_bcrypt_cannot_use_lets_nobody_in_and_stops_nobody_else() -> None:
    async def ask() -> list[bool]:
        passwords = Passwords()
        users = {"bad": "$2b$04$" + "!" * 53, **USERS}
        return [
            await passwords.check(users, "bad", b"x", "10.0.0.1"),
            await passwords.check(users, *ALICE),
        ]

    assert [False, True] == run(ask)


def test_at_the_end_those_that_wait_are_put_off() -> None:
    verifier = Verifier(holds=True)

    async def ask() -> None:
        passwords = Passwords(verifier)
        waiting = [
            asyncio.create_task(passwords.check(USERS, "alice", password, "10.0.0.1")) for password in (b"1", b"2")
        ]
        await asyncio.sleep(0)
        passwords.close()
        for check in (*waiting, asyncio.create_task(passwords.check(USERS, "alice", b"3", "10.0.0.1"))):
            with pytest.raises(BusyError):
                await check
        verifier.answers.put(False)  # noqa: FBT003 - the answer

    run(ask)
