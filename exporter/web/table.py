"""The table of jails: a row for each that runs or should, in the order that the query asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from exporter.durations import format as format_duration
from exporter.model import Jail
from exporter.snapshot import Snapshot
from exporter.web.icons import CROSS, TICK, TRIANGLE
from exporter.web.text import count, name_html, plural


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    is_figure: bool = True


COLUMNS: Final[Mapping[str, _Column]] = {
    "name": _Column("Jail", is_figure=False),
    "state": _Column("State", is_figure=False),
    "banned": _Column("Banned now"),
    "bans": _Column("Bans"),
    "failing": _Column("Failing now"),
    "failures": _Column("Failures"),
    "ban_time": _Column("Ban time"),
}
"""By the word that ``?sort=`` takes."""

_DEFAULT: Final = "state"


@dataclass(frozen=True, slots=True)
class Order:
    """By which column the rows are sorted, and which way; jails that are equal in it are sorted by name."""

    key: str = _DEFAULT
    descending: bool = False

    @classmethod
    def from_query(cls, sort: str | None, order: str | None) -> Order:
        """Return the order asked for; what is unknown falls back: to the state, and to the column's usual way."""
        key = sort if sort is not None and sort in COLUMNS else _DEFAULT
        return cls(key, {"asc": False, "desc": True}.get(order or "", COLUMNS[key].is_figure))

    def by(self, key: str) -> Order:
        """Return the order that a click on a column's head leads to: its usual one, or the other way round."""
        return Order(key, not self.descending) if key == self.key else Order(key, COLUMNS[key].is_figure)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    values: tuple[float | None, ...]
    """By which the columns after the name are sorted; None is what is not known and always comes last."""
    html: str


class JailTable:
    """The jails of one snapshot: each row is rendered once, whatever the order. For one thread."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._missing = len(snapshot.missing_jails())
        running = () if snapshot.probe is None else snapshot.probe.jails
        # Where none runs, there is nothing to show but names.
        self._columns = COLUMNS if running else {key: COLUMNS[key] for key in ("name", "state")}
        without_log = {found.jail for found in snapshot.log_files() if found.missing}
        rows = [
            *(_missing_row(name, len(self._columns)) for name in snapshot.missing_jails()),
            *(
                _row(jail, snapshot.health.bans.of(jail.name), is_without_log=jail.name in without_log)
                for jail in running
            ),
        ]
        self._rows = sorted(rows, key=lambda row: (row.name.casefold(), row.name))

    def __len__(self) -> int:
        return len(self._rows)

    def html(self, order: Order, link: Callable[[Order], str]) -> str:
        """Return the table.

        Args:
            order: of the rows.
            link: returns the address of the page in another order.
        """
        if order.key not in self._columns:
            order = Order()
        rows = "".join(row.html for row in self._sorted(order))
        head = "".join(_head_cell(key, column, order, link) for key, column in self._columns.items())
        return (
            '<div class="scroll" role="region" aria-labelledby="jails" tabindex="0"><table>'
            f"<caption><span>{self._caption(order)}</span></caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _sorted(self, order: Order) -> Sequence[_Row]:
        column = list(COLUMNS).index(order.key) - 1
        if column < 0:
            return self._rows[::-1] if order.descending else self._rows
        known = [(value, row) for row in self._rows if (value := row.values[column]) is not None]
        known.sort(key=lambda pair: pair[0], reverse=order.descending)
        return [*(row for _, row in known), *(row for row in self._rows if row.values[column] is None)]

    def _caption(self, order: Order) -> str:
        running = f"{count(len(self._rows) - self._missing)} running"
        missing = f", {count(self._missing)} not running" if self._missing else ""
        if order == Order():
            return f"{running}{missing}."
        way = "descending" if order.descending else "ascending"
        return f"{running}{missing}. Sorted by {COLUMNS[order.key].title.lower()}, {way}."


def unlisted(snapshot: Snapshot) -> str:
    """Return a sentence on the jails that run and can't be listed; empty if there are none."""
    untold = snapshot.untold_jails()
    if not untold:
        return ""
    run = "runs" if untold == 1 else "run"
    return f"<p>{plural(untold, 'more jail')} {run}: this version of fail2ban does not tell their names apart.</p>"


def _head_cell(key: str, column: _Column, order: Order, link: Callable[[Order], str]) -> str:
    way, arrow = "", ""
    if key == order.key:
        way = f' aria-sort="{"descending" if order.descending else "ascending"}"'
        arrow = f'<span aria-hidden="true"> {"▼" if order.descending else "▲"}</span>'
    return f'<th scope="col"{way}><a href="{escape(link(order.by(key)))}">{column.title}{arrow}</a></th>'


def _row(jail: Jail, bans: int | None, *, is_without_log: bool) -> _Row:
    settings = jail.settings
    ban_time = None if settings is None else settings.ban_time
    counts = (jail.banned, bans, jail.failed, jail.failures)
    faults = [", no action"] if settings is not None and settings.actions == 0 else []
    faults += [", log file missing"] if is_without_log else []
    state = f'<td class="{"unsure" if faults else "good"}">{TRIANGLE if faults else TICK}running{"".join(faults)}</td>'
    cells = "".join(f"<td>{'' if each is None else count(each)}</td>" for each in counts)
    return _Row(
        jail.name,
        (1 if faults else 2, *counts, ban_time),
        f'<tr><th scope="row">{name_html(jail.name)}</th>{state}{cells}<td>{_ban_time(ban_time)}</td></tr>',
    )


def _missing_row(name: str, columns: int) -> _Row:
    return _Row(
        name,
        (0, None, None, None, None, None),
        f'<tr class="missing"><th scope="row">{name_html(name)}</th>'
        f'<td class="bad">{CROSS}not running</td>{"<td></td>" * (columns - 2)}</tr>',
    )


def _ban_time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "permanent" if math.isinf(seconds) else format_duration(seconds)
