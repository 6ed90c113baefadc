"""What a process uses, from ``/proc``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_NANOSECONDS: Final = 1e9
_KIB_IN_MB: Final = 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads that live, in seconds, as the scheduler counts it: to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / _NANOSECONDS


def resident_mb(pid: int) -> float:
    """Return the resident memory, in MB (10⁶ bytes)."""
    return _status(pid, "VmRSS") * _KIB_IN_MB


def threads(pid: int) -> int:
    """Return how many threads it has."""
    return _status(pid, "Threads")


def descriptors(pid: int) -> int:
    """Return how many descriptors it has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _status(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.split(f"{field}:")[1].split()[0])
