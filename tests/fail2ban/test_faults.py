"""Whatever answers at the socket, a probe ends in time, with a result that says what it was, and the next one works."""

import pickle
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path

import pytest

from exporter.fail2ban import Client
from exporter.fail2ban.connection import MAX_REPLY_BYTES
from exporter.model import Result
from tests.fail2ban.child import Child
from tests.fail2ban.hostile import BOMBS, attacks
from tests.fakes import (
    END,
    Conversation,
    FakeJail,
    FakeServer,
    Honest,
    Script,
    bad,
    closing_after,
    good,
    nested_pairs,
    opcodes,
    replying,
    sending,
    silent,
)

PLENTY = 30.0
TIMEOUT = 0.5
LATE = 0.5
"""How much later than its timeout a probe may end, in seconds."""
MEMORY = 40.0
"""MiB that a probe may take, whatever answers."""


def dripping(seconds: float) -> Script:
    """A script that answers a byte at a time."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.drip(good("1.1.1" * 1000) + END, seconds)

    return script


def endless(unit: bytes) -> Script:
    """A script that answers with the same bytes for ever."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        while True:
            conversation.send(unit)

    return script


def with_stats(stats: bytes) -> Script:
    """A script of a good 1.1.1, but for its jails."""
    return Honest(replies={("stats",): opcodes(b"K\x00", stats, b"\x86")})


def with_status(jails: str, number: int, **replies: bytes) -> Honest:
    """A script of a good 1.0.2 with this list of jails."""
    status = good([("Number of jail", number), ("Jail list", jails)])
    honest = Honest(version="1.0.2", replies={("status",): status})
    honest.replies |= {("status", name, "short"): reply for name, reply in replies.items()}
    return honest


def many_settings(name: str, value: object, jails: int = 300) -> Script:
    """A script of a good 1.1.1 with many jails, all of which have this setting."""
    names = {f"jail {number}": FakeJail() for number in range(jails)}
    reply = good(value)
    return Honest(names, replies={("get", jail, name): reply for jail in names})


def many_log_files(text: str) -> Script:
    """A script of a good 1.0.2 with many jails, each of which has as many log files as a reply holds."""
    sections = [
        ("Filter", [("Currently failed", 0), ("Total failed", 0), ("File list", [text + str(n) for n in range(9000)])]),
        ("Actions", [("Currently banned", 0), ("Total banned", 0)]),
    ]
    names = [f"jail{number}" for number in range(100)]
    return with_status(", ".join(names), 100, **dict.fromkeys(names, good(sections)))


FOREVER = nested_pairs(60)
BIG = b"X" + (3_000_000).to_bytes(4, "little") + b"x" * 3_000_000
FAULTS: dict[str, tuple[Script, Result]] = {
    "says nothing": (silent, Result.TIMEOUT),
    "a byte a second": (dripping(1.0), Result.TIMEOUT),
    "a byte a millisecond": (dripping(0.001), Result.TIMEOUT),
    "garbage": (replying(b"\x00garbage\xff" * 100), Result.PROTOCOL_ERROR),
    "garbage without an end": (sending(b"garbage"), Result.TIMEOUT),
    "another protocol": (closing_after(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Result.PROTOCOL_ERROR),
    "an empty reply": (replying(b""), Result.PROTOCOL_ERROR),
    "truncated": (replying(good("1.1.1")[:-4]), Result.PROTOCOL_ERROR),
    "truncated, then silence": (sending(good("1.1.1")[:-4]), Result.TIMEOUT),
    "truncated, then closed": (closing_after(good("1.1.1")[:-4]), Result.PROTOCOL_ERROR),
    "a reply without its end": (sending(good("1.1.1")), Result.TIMEOUT),
    "a reply that never ends": (endless(b"x" * 65_536), Result.PROTOCOL_ERROR),
    "a list that never ends": (endless(b"]" * 65_536), Result.PROTOCOL_ERROR),
    "replies that never end": (endless((good("1.1.1") + END) * 1000), Result.PROTOCOL_ERROR),
    "an end that never ends": (endless(b"<F2B_END_COMMAND" * 4096), Result.PROTOCOL_ERROR),
    "an error reply": (replying(bad(Exception("Invalid command"))), Result.SERVER_ERROR),
    "an error of big words": (replying(bad(Exception("x" * 3_000_000))), Result.SERVER_ERROR),
    "an error in the jails": (Honest(replies={("stats",): bad(OSError("disk"))}), Result.SERVER_ERROR),
    "can not read the request": (replying(pickle.dumps("ERROR: no pickle")), Result.SERVER_ERROR),
    "shuts down": (replying(pickle.dumps(["SHUTDOWN"], 5)), Result.SERVER_ERROR),
    "closes at once": (lambda _conversation: None, Result.PROTOCOL_ERROR),
    "closes after the request": (closing_after(b""), Result.PROTOCOL_ERROR),
    "closes after the version": (closing_after(good("1.1.1") + END), Result.PROTOCOL_ERROR),
    "hashes for ever": (replying(opcodes(b"K\x00}", FOREVER, b"Ns\x86")), Result.PROTOCOL_ERROR),
    "a version that prints for ever": (replying(opcodes(b")\x94K\x00", FOREVER, b"\x86")), Result.PROTOCOL_ERROR),
    "a verdict that compares for ever": (replying(opcodes(FOREVER, b"N\x86")), Result.PROTOCOL_ERROR),
    "an error that prints for ever": (
        replying(opcodes(b"K\x01\x8c\x01m\x8c\x01e\x93", FOREVER, b"\x85R\x86")),
        Result.SERVER_ERROR,
    ),
    "jails that hash for ever": (with_stats(b"}" + FOREVER + b"Ns"), Result.PROTOCOL_ERROR),
    "counts that print for ever": (
        with_stats(b"}\x8c\x04sshd]" + FOREVER + b"aK\x01K\x02\x86aK\x01K\x02\x86as"),
        Result.PROTOCOL_ERROR,
    ),
    "a version of three million characters": (replying(opcodes(b"K\x00", BIG, b"\x86")), Result.PROTOCOL_ERROR),
    "a backend of three million characters in each jail": (
        with_stats(
            b"}(\x8c\x03big]("
            + BIG
            + b"\x94K\x00K\x00\x86K\x00K\x00\x86e"
            + b"".join(b"\x8c\x04%04d](h\x00K\x00K\x00\x86K\x00K\x00\x86e" % number for number in range(100))
            + b"u"
        ),
        Result.PROTOCOL_ERROR,
    ),
    "a list of nothing but commas": (with_status(", " * 2_000_000, 2_000_001), Result.PROTOCOL_ERROR),
    "a list of wide names": (with_status("Ā, " * 1_000_000, 5), Result.SUCCESS),
    "more jails than there can be": (with_status("a", 10_001), Result.PROTOCOL_ERROR),
    "log files for ever": (many_log_files("/var/log/"), Result.PROTOCOL_ERROR),
    "log files of wide names": (many_log_files("Ā" * 100), Result.PROTOCOL_ERROR),
    "actions for ever": (many_settings("actions", ["x"] * 100_000, jails=20), Result.SUCCESS),
    "ban times as long as a reply": (many_settings("bantime", "x" * 1_000_000), Result.SUCCESS),
    **{
        f"bomb: {name}": (replying(b"\x80\x04" + BOMBS[name]() + b"."), Result.PROTOCOL_ERROR)
        for name in ("lists in lists", "memos", "strings of wide characters, remembered", "errors")
    },
}


def check(child: Child, expected: Result, timeout: float = TIMEOUT) -> None:
    """Probe, and demand the result within time and memory."""
    outcome = child.probe(timeout)

    assert outcome.result == expected, outcome
    assert outcome.seconds < timeout + LATE, outcome
    assert outcome.growth < MEMORY, outcome
    assert len(outcome.reason) < 1000


def works(child: Child) -> int:
    """Probe an honest server; how many descriptors there are then."""
    outcome = child.probe(PLENTY)
    assert outcome.result == Result.SUCCESS, outcome
    assert outcome.jails == ("sshd",)
    return outcome.descriptors


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_at_fault_costs_one_probe_and_no_more(fault: str) -> None:
    script, expected = FAULTS[fault]
    # The slowest of the others, four million bytes in the worst order, take a busy machine longer than half a second.
    timeout = TIMEOUT if expected is Result.TIMEOUT else 5.0
    with FakeServer(script) as server, Child(server.path) as child:
        seen = []
        for _ in range(2):
            check(child, expected, timeout)
            server.script = Honest()
            server.drop_all()
            seen.append(works(child))
            server.script = script
            server.drop_all()

    assert seen[0] == seen[1]


def missing(_path: Path) -> AbstractContextManager[object]:
    """Nothing there."""
    return nullcontext()


def a_file(path: Path) -> AbstractContextManager[object]:
    """A file that is no socket."""
    path.write_text("not a socket")
    return nullcontext()


def a_folder(path: Path) -> AbstractContextManager[object]:
    """A folder that is no socket."""
    path.mkdir()
    return nullcontext()


def left_behind(path: Path) -> AbstractContextManager[object]:
    """A socket that nobody listens on."""
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
    return nullcontext()


def accepts_nobody(path: Path) -> AbstractContextManager[object]:
    """A server that is stopped: one connection waits, and no other may."""
    stack = ExitStack()
    listener = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
    listener.bind(str(path))
    listener.listen(0)
    waiting = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
    waiting.connect(str(path))
    return stack


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (missing, Result.SOCKET_MISSING),
        (a_file, Result.CONNECTION_REFUSED),
        (a_folder, Result.CONNECTION_REFUSED),
        (left_behind, Result.CONNECTION_REFUSED),
        (accepts_nobody, Result.TIMEOUT),
    ],
)
def test_a_path_at_fault_costs_one_probe_and_no_more(
    folder: Path, make: Callable[[Path], AbstractContextManager[object]], expected: Result
) -> None:
    path = folder / "sock"
    with Child(path) as child:
        seen = []
        for _ in range(2):
            with make(path):
                check(child, expected)
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
            with FakeServer(Honest(), path):
                seen.append(works(child))
            path.unlink()

    assert seen[0] == seen[1]


def test_a_socket_that_may_not_be_opened_says_what_to_do() -> None:
    with FakeServer(Honest()) as server, Child(server.path) as child:
        server.path.chmod(0)
        child.become_nobody()

        outcome = child.probe(TIMEOUT)

        assert outcome.result == Result.PERMISSION_DENIED, outcome
        assert "run the exporter as the socket's owner; root without any capability is enough" in outcome.reason

        server.path.parent.chmod(0o755)
        server.path.chmod(0o666)
        assert works(child)


@pytest.mark.parametrize("attack", attacks(Path()))
def test_a_server_that_would_run_code_here_runs_none(folder: Path, attack: str, clients: Callable[..., Client]) -> None:
    proof = folder / "proof"
    with FakeServer(replying(attacks(proof)[attack])) as server:
        client = clients(server.path)
        probe = client.probe(PLENTY)

        assert probe.result in (Result.PROTOCOL_ERROR, Result.SERVER_ERROR)
        assert not proof.exists()

        server.script = Honest()
        assert client.probe(PLENTY).result is Result.SUCCESS


def test_a_reply_that_takes_until_the_deadline_to_read_is_a_timeout(clients: Callable[..., Client]) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.01  # each look at the clock costs a hundredth of a second
        return now

    with FakeServer(replying(b"\x80\x04" * (MAX_REPLY_BYTES // 2) + good("1.1.1"))) as server:
        probe = clients(server.path, clock=clock).probe(0.9)

    assert probe.result is Result.TIMEOUT
    assert probe.duration < 1.0


@pytest.mark.parametrize("version", ["1.0.2", "1.1.1", "who knows"])
@pytest.mark.parametrize("number", [1_000, 10_000])
def test_a_host_of_many_jails_takes_little_memory_and_time(version: str, number: int) -> None:
    jails = {f"jail-{index:05}": FakeJail() for index in range(number)}
    with FakeServer(Honest(jails, version)) as server, Child(server.path) as child:
        outcome = child.probe(PLENTY)

        assert outcome.result == Result.SUCCESS, outcome
        assert outcome.jail_count == number
        assert len(outcome.jails) == number
        assert outcome.growth < MEMORY, outcome
        assert outcome.seconds < 10, outcome
