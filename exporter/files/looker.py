"""Looks at files on threads that may be left behind: on a file system that hangs, a look never ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

HANG_SECONDS: Final = 5.0
"""A look that takes longer than this, or at most twice as long, hangs."""
MAX_HANGING: Final = 4
"""So many looks may hang, each with a thread; past that, nothing is looked at until one of them has ended."""

Found = TypeVar("Found")


class Looker:
    """Looks at paths one after the other, and goes on without those that hang. For one thread at a time."""

    def __init__(self, patience: float = HANG_SECONDS) -> None:
        self._patience = patience
        self._hanging: dict[Hashable, _Errand[Any]] = {}

    def look(
        self,
        paths: Iterable[str],
        at: Callable[[str], Found],
        group: Callable[[str], Hashable] = lambda path: path,
    ) -> dict[str, Found]:
        """Return what is found at each path, less those that hang or are likely to.

        Args:
            paths: what to look at.
            at: looks at one path.
            group: of what hangs together, such as a file system: while a look at one hangs, none else is tried.

        Raises:
            Exception: what `at` raised.
        """
        found: dict[str, Found] = {}
        left = list(paths)
        while left := [path for path in left if path not in found and not self._hangs(group(path))]:
            errand = _Errand(left, at)
            if not errand.wait(self._patience) and len(errand.found) < len(left):
                self._hanging[group(left[len(errand.found)])] = errand
            elif errand.error is not None:
                raise errand.error
            found |= zip(left, errand.found, strict=False)
        return found

    def hanging(self) -> int:
        """Return how many looks hang."""
        self._hanging = {group: errand for group, errand in self._hanging.items() if errand.is_alive()}
        return len(self._hanging)

    def _hangs(self, group: Hashable) -> bool:
        return self.hanging() >= MAX_HANGING or group in self._hanging


class _Errand(Generic[Found]):
    """One thread's way along some paths."""

    def __init__(self, paths: Sequence[str], at: Callable[[str], Found]) -> None:
        self.found: Sequence[Found] = []
        self.error: Exception | None = None
        self._is_given_up = False
        self._thread = threading.Thread(target=self._go, args=(paths, at), name="looker", daemon=True)
        self._thread.start()

    def wait(self, patience: float) -> bool:
        """Wait for the end, as long as it gets any further in so many seconds; tell whether it has ended.

        If it has not, it will go no further than the path that it is at.
        """
        before = -1
        while self._thread.is_alive() and len(self.found) > before:
            before = len(self.found)
            self._thread.join(patience)
        if self._thread.is_alive():
            self._is_given_up = True
            # What it may still find is no news: from now on this is its own list no more.
            self.found = tuple(self.found)
            return False
        return True

    def is_alive(self) -> bool:
        """Tell whether the look that it was at still hangs."""
        return self._thread.is_alive()

    def _go(self, paths: Sequence[str], at: Callable[[str], Found]) -> None:
        found: list[Found] = []
        self.found = found
        try:
            for path in paths:
                if self._is_given_up:
                    return
                found.append(at(path))
        except Exception as error:  # noqa: BLE001  # raised again on the thread that waits
            self.error = error
