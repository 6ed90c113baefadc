"""How a metric's samples are read from a snapshot. A value that is not known is no sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter.families import Row
from exporter.model import Jail
from exporter.snapshot import Snapshot

JAIL: Final = ("jail",)
"""The labels of what is counted by jail."""


def one(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    """Make a reader of one sample without labels, or of none where the value is not known."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        value = read(snapshot)
        if value is not None:
            yield (), value

    return rows


def by_jail(read: Callable[[Jail], float | None]) -> Callable[[Snapshot], Iterator[Row]]:
    """Make a reader of one sample a running jail, or of none where the value is not known."""

    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for jail in snapshot.probe.jails if snapshot.probe else ():
            value = read(jail)
            if value is not None:
                yield (jail.name,), value

    return rows


def by_key(read: Callable[[Snapshot], Iterable[tuple[str, float]]]) -> Callable[[Snapshot], Iterator[Row]]:
    """Make a reader of samples with one label."""
    return lambda snapshot: (((str(key),), value) for key, value in read(snapshot))
