"""`python -m tests.fuzz.replies --count 100000 --seed 1`: read that many replies made at random, and say what it took.

Made by a plain generator and not by hypothesis, which takes a hundred times as long for each.
"""

import argparse
import json
import pickle
import pickletools
import random
import re
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from exporter.fail2ban import dialects
from exporter.fail2ban.failures import ProbeError
from exporter.fail2ban.pickles import MalformedReplyError, Value, loads
from exporter.fail2ban.replies import answer
from tests.audit import listening
from tests.data.capture import REPLIES
from tests.fail2ban.hostile import attacks
from tests.fakes import FakeConnection, nested_pairs

_NOWHERE: Final = Path("/nonexistent/proof")
_MIB: Final = 1024 * 1024
_TEXTS: Final = ("0", "sshd", "os", "system", "builtins", "str", "eval", "Number of jail", "größe", "x" * 300, "\x00")


@dataclass
class Outcome:
    """What reading them came to.

    Attributes:
        events: Kinds of audit events, which must be none.
        read: How many were a reply, a good one or an error.
        refused: How many were refused.
        believed: How many were taken for a list of jails.
        opcodes: How many of the opcodes of pickle were among them.
        longest: Seconds of processor time that the slowest took.
        growth: MiB that the process grew to at most.
    """

    events: list[str] = field(default_factory=list)
    read: int = 0
    refused: int = 0
    believed: int = 0
    opcodes: int = 0
    longest: float = 0.0
    growth: float = 0.0


class Generator:
    """Makes replies, the same for the same seed.

    Attributes:
        opcodes: Those of pickle that were written on purpose so far.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable is what it must be
        self._real = [file.read_bytes() for file in sorted(REPLIES.rglob("*.pickle"))]
        self._hostile = list(attacks(_NOWHERE).values())
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self.noise,
            self.program,
            self.program,
            self.damaged,
            self.damaged,
            self.damaged_attack,
            self.nested,
            self.memo_bomb,
            self.value,
        )
        self.opcodes: set[str] = set()

    def reply(self) -> bytes:
        """The next one."""
        return self._random.choice(self._kinds)()

    def noise(self) -> bytes:
        """Random bytes, with a head that looks right now and then."""
        data = self._random.randbytes(self._random.randrange(200))
        return b"\x80\x04" + data + b"." if self._random.random() < 0.5 else data

    def program(self) -> bytes:
        """Opcodes of pickle, any of them, with operands of the right kind."""
        parts = [self._opcode(self._random.choice(pickletools.opcodes)) for _ in range(self._random.randrange(1, 30))]
        return b"\x80\x04" + b"".join(parts) + b"."

    def damaged(self) -> bytes:
        """A reply of a real fail2ban, damaged, or two of them mixed."""
        return self._damage(self._random.choice(self._real), self._random.choice(self._real))

    def damaged_attack(self) -> bytes:
        """A pickle that would run code, as it is, damaged, or inside a real reply."""
        attack = self._random.choice(self._hostile)
        if self._random.random() < 0.2:
            return attack
        return self._damage(attack, self._random.choice(self._real + self._hostile))

    def nested(self) -> bytes:
        """Containers in containers."""
        depth = self._random.choice((1, 10, 100, 3000))
        opening, closing = self._random.choice(((b"](", b"e"), (b"(", b"t"), (b"}\x8c\x01a", b"s"), (b"", b"\x85")))
        return b"\x80\x04K\x00" + opening * depth + b"N" + closing * depth + b"\x86."

    def memo_bomb(self) -> bytes:
        """Few bytes that stand for endlessly many."""
        depth = self._random.randrange(1, 255)
        start = self._random.choice((b"K\x00", b"K\x01", b"}", b"]", b"\x8c\x01m\x8c\x01e\x93"))
        end = self._random.choice((b"\x86", b"Ns\x86", b"a", b"\x85R", b"\x86\x85R", b"R\x86"))
        return b"\x80\x04" + start + nested_pairs(depth) + end + b"."

    def value(self) -> bytes:
        """What Python's pickle makes of a value at random, in any protocol."""
        value = (self._random.choice((0, 0, 0, 1, 2, True, "0")), self._value(3))
        return pickle.dumps(value, self._random.randrange(6))

    def _opcode(self, opcode: pickletools.OpcodeInfo) -> bytes:
        self.opcodes.add(opcode.name)
        code = opcode.code.encode("latin-1")
        if opcode.arg is None:
            return code
        name = opcode.arg.name
        if match := re.fullmatch(r"u?int(\d)|long(\d)|float8|uint8|decimalnl.*", name):
            width = int(match.group(1) or 8)
            if match.group(2):  # a length, then as many bytes
                return code + self._counted(int(match.group(2)))
            if name.startswith("decimalnl"):
                return code + b"%d\n" % self._random.randrange(-9, 300)
            return code + self._small(width)
        if match := re.search(r"(\d)$", name):
            return code + self._counted(int(match.group(1)))
        lines = 2 if "pair" in name else 1
        return code + b"".join(self._text() + b"\n" for _ in range(lines))

    def _small(self, width: int) -> bytes:
        if self._random.random() < 0.2:
            return self._random.randbytes(width)
        return self._random.randrange(4).to_bytes(width, "little")

    def _counted(self, width: int) -> bytes:
        text = self._text()
        length = len(text) if self._random.random() < 0.9 else self._random.randrange(1 << 8 * min(width, 7))
        return struct.pack("<Q", min(length, (1 << 8 * width) - 1))[:width] + text

    def _text(self) -> bytes:
        return self._random.choice(_TEXTS).encode()

    def _damage(self, data: bytes, other: bytes) -> bytes:
        for _ in range(self._random.randrange(1, 5)):
            start = self._random.randrange(len(data) + 1)
            end = start + self._random.choice((0, 0, 1, 1, 4, 30))
            cut = self._random.randrange(len(other) + 1)
            instead = self._random.choice(
                (b"", self._random.randbytes(1), self._random.randbytes(3), other[cut : cut + 20], data[start:end] * 2)
            )
            data = data[:start] + instead + data[end:]
        return data

    def _value(self, depth: int) -> Any:
        kind = self._random.randrange(13 if depth else 8)
        simple = (None, True, self._random.randrange(300), -1, 2.5, self._random.choice(_TEXTS), b"bytes", 1 << 3000)
        if kind < len(simple):
            return simple[kind]
        items = [self._value(depth - 1) for _ in range(self._random.randrange(4))]
        keys = self._random.sample(_TEXTS, len(items))
        count = self._random.randrange(5)
        return (
            items,
            tuple(items),
            dict(zip(keys, items, strict=True)),
            {"sshd": ["polling", (count, count), (count, count)], "x": items},
            {keys[0]: ["polling", (1, 2), (count, 3)]} if keys else {},
        )[kind - len(simple)]


def read(data: bytes, outcome: Outcome) -> None:
    """Read one as the exporter does, up to the jails."""
    started = time.thread_time()
    try:
        value = loads(data, lambda: None)
    except MalformedReplyError:
        outcome.refused += 1
    else:
        outcome.read += 1
        outcome.believed += sum(_believe(value, dialect) for dialect in (dialects.STATS, dialects.SHORT))
    outcome.longest = max(outcome.longest, time.thread_time() - started)


def _believe(value: Value, dialect: dialects.Dialect) -> bool:
    """Whether a dialect takes the value for its jails, which must be sane then."""
    connection: Any = FakeConnection(lambda _: value)
    deadline: Any = None
    try:
        answer(value)
        roster = dialect.ask(connection, deadline)
    except ProbeError:
        return False
    for jail in roster.jails:
        assert 0 < len(jail.name) <= dialects.MAX_NAME_LENGTH or jail.name == ""
        assert min(jail.failed, jail.failures, jail.banned, jail.bans) >= 0
    assert len(roster.jails) <= roster.count <= dialects.MAX_JAILS
    return True


def _memory(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) * 1024 / _MIB


def fuzz(count: int, seed: int) -> Outcome:
    """Read so many; the audit hook listens to all of it."""
    generator, outcome = Generator(seed), Outcome()
    for _ in range(1000):  # so that what is imported or made once is there
        read(generator.reply(), Outcome())
    before = _memory("VmRSS")
    with listening() as events:
        for _ in range(count):
            read(generator.reply(), outcome)
    outcome.events = sorted(set(events))
    outcome.opcodes = len(generator.opcodes)
    outcome.growth = _memory("VmHWM") - before
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.replies")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(asdict(fuzz(options.count, options.seed))))
