"""A thread that does one thing again and again beside the prober, and waits in between."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Rounds:
    """Takes a turn, and another when that one has said, or when it is woken.

    The thread is a daemon: a turn that hangs does not hold up the end of the process.
    """

    def __init__(self, name: str, turn: Callable[[], float | None]) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            name: the thread's.
            turn: called on the thread; returns the seconds until the next turn is due, None if it is to be woken.
        """
        self._turn = turn
        self._news = threading.Event()
        self.is_stopping = False
        """Whether the thread was asked to end."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, if it was not started yet. From one thread."""
        if self._thread.ident is None:
            self._thread.start()

    def wake(self) -> None:
        """Have the next turn taken at once, or after the one that is under way. From any thread."""
        self._news.set()

    def stop(self, patience: float) -> None:
        """Ask the thread to end, and wait for it that many seconds."""
        self.is_stopping = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        while not self.is_stopping:
            self._news.clear()
            self._news.wait(self._turn())
