"""Waiting in tests: for a condition, with a deadline, never for a time."""

import time
from collections.abc import Callable

# Far more than any step takes: only a machine that hangs gets there.
DEADLINE = 60.0


def wait_until(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = DEADLINE) -> None:
    """Return as soon as a condition holds.

    Args:
        condition: Asked every 10 ms.
        what: What is waited for, for the message; a function when it is to say how things stand at the deadline.
        seconds: The deadline.

    Raises:
        AssertionError: It did not hold before the deadline.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.01)
