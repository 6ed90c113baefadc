"""A process of its own that probes, or interprets replies, and says what it took: time, memory, descriptors."""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.fail2ban import Client
from exporter.fail2ban.pickles import MalformedReplyError, loads
from tests.ended import ChildProcess

_MIB = 1024 * 1024
_NOBODY = 65534
_PATIENCE = 30.0


@dataclass(frozen=True)
class Outcome:
    """What one piece of work came to.

    Attributes:
        result: That of a probe; `value` or `refused` of a reply that was interpreted.
        reason: For people.
        jails: Names of a probe's jails.
        jail_count: As the probe has it.
        seconds: How long it took, by the wall clock for a probe, in CPU time for a reply.
        growth: Peak of resident memory above what there was before, in MiB.
        longest_gap: Longest CPU time between two looks at the deadline.
        descriptors: How many are open afterwards.
    """

    result: str
    reason: str
    seconds: float
    growth: float
    jails: tuple[str, ...] = ()
    jail_count: int | None = None
    longest_gap: float = 0.0
    descriptors: int = 0


class Child(ChildProcess):
    """The process, as a context manager; whatever it does, it is ended.

    Args:
        socket: What it probes.
        within: A command that starts it, such as `unshare` with its arguments.
    """

    def __init__(self, socket: Path, within: Sequence[str] = ()) -> None:
        super().__init__([*within, sys.executable, "-m", "tests.fail2ban.child", str(socket)])

    def probe(self, timeout: float) -> Outcome:
        """Probe once; the connection is held until the next time, as the exporter does."""
        return self._do(timeout=timeout)

    def exit_kind(self) -> str:
        """How the server that was probed ended; waits until that is clear."""
        return self._do(exits=True).result

    def loads(self, data: bytes, file: Path) -> Outcome:
        """Interpret one reply, in a fresh copy of the process, by way of a file."""
        file.write_bytes(data)
        return self._do(file=str(file))

    def become_nobody(self) -> None:
        """Give up all rights, if there are any."""
        self._do(nobody=True)

    def _do(self, **work: Any) -> Outcome:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the child died"
        outcome = json.loads(answer)
        return Outcome(**outcome | {"jails": tuple(outcome["jails"])})


def _memory(name: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / _MIB
    raise AssertionError(name)


def _probe(client: Client, timeout: float) -> Outcome:
    before = _memory("VmRSS")
    started = time.perf_counter()
    probe = client.probe(timeout)
    seconds = time.perf_counter() - started
    return Outcome(
        result=str(probe.result),
        reason=probe.reason,
        jails=tuple(jail.name for jail in probe.jails),
        jail_count=probe.jail_count,
        seconds=seconds,
        growth=_memory("VmHWM") - before,
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
    )


def _exit_kind(client: Client) -> str:
    deadline = time.monotonic() + _PATIENCE
    while not (exits := client.exits()) and time.monotonic() < deadline:
        client.probe(1.0)
    return ", ".join(one.kind for one in exits)


def _loads(data: bytes) -> Outcome:
    before = _memory("VmRSS")
    started = time.process_time()
    looks = [started]
    try:
        loads(data, lambda: looks.append(time.process_time()))
    except MalformedReplyError as error:
        result, reason = "refused", str(error)
    else:
        result, reason = "value", ""
    looks.append(time.process_time())
    return Outcome(
        result=result,
        reason=reason,
        seconds=looks[-1] - started,
        growth=_memory("VmHWM") - before,
        longest_gap=max(after - look for look, after in pairwise(looks)),
    )


def _say(outcome: Outcome) -> None:
    sys.stdout.write(json.dumps(vars(outcome)) + "\n")
    sys.stdout.flush()


def _forked(data: bytes) -> None:
    if pid := os.fork():
        os.waitpid(pid, 0)
        return
    _say(_loads(data))
    os._exit(0)


def main(socket: str) -> None:
    """Do what is asked for, one JSON object a line."""
    _memory("VmRSS")  # whoever becomes nobody may not be able to import a codec
    client = Client(socket)
    for line in sys.stdin:
        work = json.loads(line)
        if "timeout" in work:
            _say(_probe(client, work["timeout"]))
        elif "exits" in work:
            _say(Outcome(_exit_kind(client), "", 0, 0))
        elif "file" in work:
            _forked(Path(work["file"]).read_bytes())
        else:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(_NOBODY, _NOBODY, _NOBODY)
                os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            _say(Outcome("became nobody", "", 0, 0))


if __name__ == "__main__":
    main(sys.argv[1])
