"""What a process takes, over time, and whether that grows."""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reading:
    """What a process took at one moment.

    Attributes:
        at: Monotonic seconds.
        memory: Resident bytes.
        descriptors: How many are open.
        threads: How many run.
    """

    at: float
    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Reading":
        """Look at a process that runs."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        memory, threads = (re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE) for name in ("VmRSS", "Threads"))
        assert memory
        assert threads
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return cls(time.monotonic(), int(memory.group(1)) * 1024, descriptors, int(threads.group(1)))


def growth(readings: Sequence[Reading], what: Callable[[Reading], float]) -> float:
    """How much a quantity grew from the first reading to the last, by the straight line that fits all of them best."""
    if len(readings) < 2:
        return 0.0
    times = [reading.at for reading in readings]
    slope, _ = statistics.linear_regression(times, [float(what(reading)) for reading in readings])
    return slope * (times[-1] - times[0])
