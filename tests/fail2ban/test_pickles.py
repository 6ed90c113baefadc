"""The interpreter stands between a reply's author and the exporter's rights, memory and time."""

import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.wire import Address
from exporter.fail2ban import pickles
from exporter.fail2ban.connection import MAX_REPLY_BYTES
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.failures import ProbeTimeoutError
from exporter.fail2ban.pickles import MalformedReplyError, RemoteError, dumps, loads
from tests.audit import no_code_runs
from tests.data.capture import REPLIES
from tests.fail2ban.child import Child
from tests.fail2ban.hostile import BOMBS, attacks, malice
from tests.fail2ban.strategies import values
from tests.fakes import UnknownJailException, bad, good, nested_pairs, opcodes
from tests.fuzz import examples
from tests.waiting import wait_until

REAL = sorted(REPLIES.rglob("*.pickle"))
MEBIBYTE = 1024 * 1024

# Enough to find what is to be found, little enough for every run.
bounded = examples(300)


def never() -> None:
    """A deadline that does not pass."""


# -- what fail2ban sends


class _Real(pickle.Unpickler):
    """Unpickles what the harness's own servers sent, with fail2ban's exceptions as `RemoteError`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "str"):
            return str
        return lambda *arguments: RemoteError(name, ", ".join(map(str, arguments)))


@pytest.mark.parametrize("file", REAL, ids=[f"{file.parent.name}-{file.stem}" for file in REAL])
def test_a_real_reply_is_read_as_what_it_says(file: Path) -> None:
    data = file.read_bytes()

    assert _Real(io.BytesIO(data)).load() == loads(data, never)


def test_the_real_replies_of_four_versions_are_there() -> None:
    assert [file.name for file in sorted(REPLIES.iterdir())] == ["0.11.2", "1.0.2", "1.1.0", "1.1.1"]
    assert len(REAL) > 100


def test_a_hundred_thousand_banned_addresses_are_read() -> None:
    addresses = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(100_000)]

    assert (0, addresses) == loads(good([Address(address) for address in addresses]), never)


def test_an_error_reply_is_read_as_text() -> None:
    assert (1, RemoteError("UnknownJailException", "sshd")) == loads(bad(UnknownJailException("sshd")), never)


def test_an_error_of_many_words_is_cut() -> None:
    reply = loads(bad(ValueError("x" * 10_000, 1, 2.5, [], None)), never)

    assert (1, RemoteError("ValueError", "x" * 500)) == reply


def test_a_request_is_what_a_python_server_reads() -> None:
    command = ["get", 'quo"te \\ größe \udcff\n', "bantime"]

    assert command == pickle.loads(dumps(command))  # noqa: S301 - made here


# -- the same as pickle, on all that a reply can be


@bounded
@given(values(), st.sampled_from([4, 5]))
def test_a_value_is_read_as_pickle_reads_it(value: Any, protocol: int) -> None:
    # By repr, which tells 1 from True and from 1.0, and nan from no nan.
    assert repr(value) == repr(loads(pickle.dumps(value, protocol), never))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(list(range(3000)), id="more items than one batch"),
        pytest.param({f"jail {number}": number for number in range(3000)}, id="more keys than one batch"),
        pytest.param([[str(number), str(number)] for number in range(3000)], id="a long memo"),
        pytest.param(["x" * 100_000, "y" * 70_000], id="strings outside of frames"),
        pytest.param([2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 255, 256, 65535, 65536, -1, 0], id="edges of integers"),
        pytest.param([2**2039 - 1, -(2**2039)], id="the widest integers"),
        pytest.param([(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], id="tuples of each length"),
    ],
)
def test_an_edge_is_read_as_pickle_reads_it(value: Any) -> None:
    again = loads(good(value), never)

    assert (0, value) == again


# -- what is no reply


MALFORMED = {
    "nothing": b"",
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no end": good("pong")[:-1],
    "bytes after the end": good("pong") + b".",
    "two values": opcodes(b"NN"),
    "no value": opcodes(),
    "an open mark": opcodes(b"(N"),
    "an open mark below": opcodes(b"N("),
    "items without a mark": opcodes(b"]Ne"),
    "a tuple without a mark": opcodes(b"Nt"),
    "items for no list": opcodes(b"N(Ne"),
    "an item for no list": opcodes(b"NNa"),
    "an item for nothing": opcodes(b"Na"),
    "keys for no dict": opcodes(b"](\x8c\x01aNu"),
    "a key without a value": opcodes(b"}(\x8c\x01au"),
    "an integer as key": opcodes(b"}K\x01Ns"),
    "a tuple as key": opcodes(b"}", nested_pairs(60), b"Ns"),
    "a list as key": opcodes(b"}]Ns"),
    "no memo": opcodes(b"h\x00"),
    "a memo of nothing": opcodes(b"\x94"),
    "too far a memo": opcodes(b"N\x94j\x01\x00\x00\x00"),
    "a string cut short": b"\x80\x04\x8c\xffshort.",
    "a string longer than all": b"\x80\x04X\xff\xff\xff\xffshort.",
    "a string that is not UTF-8": opcodes(b"\x8c\x02\xff\xfe"),
    "a long string that is not UTF-8": opcodes(b"X\x02\x00\x00\x00\xff\xfe"),
    "an integer cut short": b"\x80\x04K",
    "an integer of four bytes cut short": b"\x80\x04J\x00\x00",
    "a float cut short": b"\x80\x04G\x00",
    "a wide integer cut short": b"\x80\x04\x8a\xff.",
    "a frame cut short": b"\x80\x04N\x95\xff\x00.",
    "an integer of over 255 bytes": pickle.dumps(2**2048, 4),
    "bytes": good(b"pong"),
    "a set": good({"sshd"}),
    "an old protocol": pickle.dumps((0, "pong"), 0),
    "a date": good(datetime(2024, 1, 1, tzinfo=UTC)),
    "an error in an answer": pickle.dumps((0, ValueError("x")), 5),
    "an error alone": pickle.dumps(ValueError("x"), 5),
    "an error in a list": pickle.dumps((1, [ValueError("x")]), 5),
    "two errors": pickle.dumps((ValueError("x"), ValueError("y")), 5),
    "an error of an error": pickle.dumps((1, ValueError(ValueError("x"))), 5),
    "a call of a string": opcodes(b"\x8c\x01a\x85R"),
    "a call without arguments": opcodes(b"\x8c\x08builtins\x8c\x03str\x93NR"),
    "str of two": opcodes(b"\x8c\x08builtins\x8c\x03str\x93\x8c\x01a\x8c\x01b\x86R"),
    "str of a number": opcodes(b"\x8c\x08builtins\x8c\x03str\x93K\x01\x85R"),
    "a class that is no name": opcodes(b"NN\x93"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_no_fail2ban_sends_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        loads(data, never)


@pytest.mark.parametrize("opcode", range(256), ids=hex)
def test_no_opcode_brings_down_the_exporter(opcode: int) -> None:
    for operands in (b"", b"\x00", b"\xff" * 300, b"N" * 300, b"(]}N" * 300):
        data = b"\x80\x04" + bytes([opcode]) + operands
        for whole in (data, data + b".", b"\x80\x04(N]}\x8c\x01a\x94" + data[2:] + b"."):
            read_or_refused(whole)


def read_or_refused(data: bytes) -> None:
    """Interpret it; a refusal is as good as a value, all else is an error."""
    with suppress(MalformedReplyError):
        loads(data, never)


@bounded
@given(st.binary(max_size=2000) | st.binary(max_size=200).map(opcodes))
def test_random_bytes_never_bring_down_the_exporter(data: bytes) -> None:
    with no_code_runs():
        read_or_refused(data)


@bounded
@given(
    st.sampled_from([file.read_bytes() for file in REAL]),
    st.lists(st.tuples(st.integers(0), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=6),
)
def test_a_damaged_reply_never_brings_down_the_exporter(data: bytes, damages: list[tuple[int, int, bytes]]) -> None:
    for where, length, instead in damages:
        start = where % (len(data) + 1)
        data = data[:start] + instead + data[start + length :]

    with no_code_runs():
        read_or_refused(data)


# -- code


@pytest.mark.parametrize("name", attacks(Path()))
def test_a_reply_that_would_run_code_runs_none(tmp_path: Path, name: str) -> None:
    target = tmp_path / "proof"
    data = attacks(target)[name]

    with no_code_runs():
        read_or_refused(data)

    assert not target.exists()


def test_the_attacks_would_work_on_pickle(tmp_path: Path) -> None:
    target = tmp_path / "proof"

    pickle.loads(attacks(target)["REDUCE of a global from the stack"])  # noqa: S301 - to show what is refused

    assert target.exists()


UNPICKLED = """
import pickle, sys
from tests.audit import listening

with listening() as seen:
    try:
        pickle.loads(sys.stdin.buffer.read())
    except pickle.UnpicklingError:
        pass  # a persistent id is worked out, and only then refused
print(*seen)
"""


@pytest.mark.parametrize("name", malice(Path()))
def test_each_of_the_ten_runs_on_pickle_and_the_audit_hook_sees_it(tmp_path: Path, name: str) -> None:
    target = tmp_path / "proof"

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", UNPICKLED],
        cwd=Path(__file__).parents[2],
        input=malice(target)[name],
        capture_output=True,
        timeout=60,
        check=True,
    )

    wait_until(target.exists, "it ran")
    assert b"pickle.find_class" in done.stdout


@pytest.mark.parametrize("name", malice(Path()))
@pytest.mark.parametrize("around", [b"K\x00%s\x86", b"K\x01%s\x86", b"K\x00}\x8c\x04sshd%ss\x86", b"](%se"])
def test_wherever_in_a_reply_one_of_the_ten_stands_nothing_runs(tmp_path: Path, name: str, around: bytes) -> None:
    target = tmp_path / "proof"
    inner = malice(target)[name].removeprefix(b"\x80\x04").removesuffix(b".")

    with no_code_runs():
        read_or_refused(opcodes(around % inner))

    assert not target.exists()


# -- time and memory


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child(Path("/nowhere")) as process:
        yield process


@pytest.mark.parametrize("name", BOMBS)
def test_the_largest_reply_of_the_worst_kind_takes_little_memory_and_time(
    child: Child, tmp_path: Path, name: str
) -> None:
    data = b"\x80\x04" + BOMBS[name]() + b"."
    assert len(data) <= MAX_REPLY_BYTES + 100

    outcome = child.loads(data, tmp_path / "reply")

    assert outcome.growth < 30, outcome  # of 40: the reply itself has some too
    assert outcome.seconds < 3, outcome
    assert outcome.longest_gap < 0.3, outcome


def test_every_32_kib_the_deadline_is_asked() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    data = good("a" * 10 + "b")[:-1] + b"\x80\x04" * (16 * 1024 * 32) + b"."
    with pytest.raises(MalformedReplyError):
        loads(data[:-1], look)

    assert looks == 32


def test_a_deadline_that_passes_in_the_middle_of_a_reply_ends_it() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.25
        return now

    deadline = Deadline.after(2.0, clock)

    with pytest.raises(ProbeTimeoutError, match="no complete answer within 2 s"):
        loads(b"\x80\x04" * (2 * MEBIBYTE), deadline.check)

    assert now < 3.0


def test_a_bulk_reply_may_be_given_more_room() -> None:
    data = good([str(number) for number in range(150_000)])

    assert (0, [str(number) for number in range(150_000)]) == loads(data, never, max_memory=4 * pickles.MAX_MEMORY)
    with pytest.raises(MalformedReplyError, match="more memory than any that fail2ban sends"):
        loads(data, never, max_memory=pickles.MAX_MEMORY // 4)
