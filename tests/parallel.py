"""How `pytest -n auto` shares the tests out: what takes long begins first, and what measures runs alone, at the end.

Most of the tests that take long wait for real servers, so there are more workers than cores. The places named here are
folders, modules and tests in `tests`.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST = (
    *(
        "end_to_end",
        "soak",
        "fleet",
        "integration",
        "recovery",
        "firewall",
        "browser",
        "faults",
        "monitoring",
        "fuzz",
        "web",
    ),
)
"""Where tests take long, those with the longest first; each may go to another worker. Other modules come later."""
TOGETHER = ("end_to_end", "fleet", "browser", "integration/test_configuration.py", "monitoring/test_compat.py")
"""Where tests share what is costly to make: one worker runs all of a place."""
ALONE = (
    "web/test_slow_connections.py",
    "firewall/test_many_bans.py",
    "recount/test_real_sequences.py",
    "integration/test_web_config.py::test_with_tls_users_and_50_jails_it_stays_small_and_ends_at_once",
    "integration/test_web_config.py::test_a_slow_hash_keeps_nobody_else_waiting_and_the_end_neither",
    "faults/test_signals.py::test_sigterm_at_any_moment_ends_it_with_status_0_and_the_state_written",
)
"""Where tests have a second or two for something, and much to do in it: no other test runs beside them."""

_WORKERS_PER_CORE = 2


def workers() -> int:
    """How many there are to be on this machine."""
    return _WORKERS_PER_CORE * len(os.sched_getaffinity(0))


class Schedule(LoadScopeScheduling):
    """Gives the next unit, in order of their ranks, to the worker that has almost nothing left to do."""

    def __init__(self, config: pytest.Config, log: Producer | None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """What goes to one worker together with a test: the name of a place, of a module, or of the test alone."""
    for places, several in ((ALONE, "alone"), (TOGETHER, "")):
        place = _place(nodeid, places)
        if place is not None:
            return several or place
    return nodeid if _place(nodeid, LONGEST_FIRST) is not None else nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """When a test is to begin: those of a lower rank begin earlier."""
    if is_alone(nodeid):
        return len(LONGEST_FIRST) + 1
    place = _place(nodeid, LONGEST_FIRST)
    return len(LONGEST_FIRST) if place is None else LONGEST_FIRST.index(place)


def is_alone(nodeid: str) -> bool:
    """Whether no other test may run beside this one."""
    return _place(nodeid, ALONE) is not None


def _place(nodeid: str, places: tuple[str, ...]) -> str | None:
    # up to the end of the name of a folder, a module or a test
    return next((place for place in places if re.match(rf"tests/{re.escape(place)}(?:[/:[]|$)", nodeid)), None)


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until a test may run: along with those of other workers, or, if it is to run alone, once these have ended.

    Args:
        folder: Of the locks; the same for all workers.
        alone: No other test begins while this one waits or runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with locked(folder / "door", fcntl.LOCK_EX) as door, locked(folder / "room", kind):
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def locked(path: Path, kind: int) -> Iterator[int]:
    """Lock a file, made if need be, as `fcntl.flock` does; its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        # Closing it may not be enough: a child that was forked meanwhile has it open, too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def printable(data: Any) -> Any:
    """A report that can be sent to the process that prints it, which takes no lone surrogate in any text."""
    match data:
        case str():
            return data.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {printable(key): printable(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(printable, data))
        case _:
            return data
