"""Bans counted by jail and label, and bounded: the number of rows never follows that of the bans. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from exporter.geoip.addresses import FAMILIES, address_of
from exporter.geoip.records import UNKNOWN

OTHER: Final = "other"
"""The label of all that are past the limit together."""
MAX_ROWS: Final = 10_000
"""Of one metric, but for `UNKNOWN` and `OTHER` of each jail: all countries there are in 40 jails, 50 in each of 200."""

Lookup: TypeAlias = Callable[[str], str]
"""Returns the label of an address."""


def count(bans: Mapping[str, Iterable[str]], lookups: Mapping[str, Lookup]) -> dict[str, dict[str, Counter[str]]]:
    """Count the bans of each jail.

    Args:
        bans: what each jail bans. Each address is let go of when it has been counted.
        lookups: what to count by, beside ``family``. What is no address counts as `UNKNOWN`.

    Returns:
        By ``family`` and each name of `lookups`: the counts of each jail, by label.
    """
    tables: dict[str, dict[str, Counter[str]]] = {name: {} for name in ("family", *lookups)}
    for jail, banned in bans.items():
        families: Counter[str] = Counter(dict.fromkeys(FAMILIES, 0))
        counters = [(lookup, Counter[str]()) for lookup in lookups.values()]
        for ban in banned:
            family, address = address_of(ban)
            families[family] += 1
            for lookup, counter in counters:
                counter[UNKNOWN if address is None else lookup(address)] += 1
        tables["family"][jail] = families
        for name, (_, counter) in zip(lookups, counters, strict=True):
            tables[name][jail] = counter
    return tables


def bounded(table: Mapping[str, Counter[str]], limit: int | None = None) -> dict[str, dict[str, int]]:
    """Return a table with the labels past the limit added up as `OTHER`.

    The limit holds for all jails together, so that a label's sum over them is exact: those labels are kept that have
    the most bans over all, and of as many the one that comes first by its name. `UNKNOWN` is kept, and counts as none.

    Args:
        table: the counts of each jail, by label.
        limit: how many labels to keep; never more than `MAX_ROWS` has room for in every jail.
    """
    room = max(1, MAX_ROWS // max(1, len(table)))
    total: Counter[str] = Counter()
    for counter in table.values():
        total.update(counter)
    del total[UNKNOWN]
    ranked = sorted(total, key=lambda label: (-total[label], label))
    kept = {UNKNOWN, *ranked[: room if limit is None else min(limit, room)]}
    found: dict[str, dict[str, int]] = {}
    for jail, counter in table.items():
        folded = {label: number for label, number in counter.items() if label in kept}
        if past := counter.total() - sum(folded.values()):
            folded[OTHER] = past
        found[jail] = folded
    return found
