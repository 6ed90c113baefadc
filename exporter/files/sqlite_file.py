"""How many rows a table of an SQLite file has, read out of its pages: no lock, no SQL, nothing of it ever run.

SQLite itself would take a lock that its writer then waits for, or, told that the file never changes, take whatever it
finds for true and count for as long as a hostile file has it count. The format is published and stable
(sqlite.org/fileformat2.html), and of a table without its contents only the heads of its pages are read.

The reads are not consistent with one another while somebody writes: see `exporter.files.database` for that.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

HEADER_BYTES: Final = 100
MAX_PAGES: Final = 2**19
"""Pages of the largest file that is read: 2 GiB at the usual page size, of which the heads take less than a second."""

_MAGIC: Final = b"SQLite format 3\0"
_ROLLBACK_JOURNAL: Final = b"\x01\x01"
_SMALLEST_PAGE: Final = 512
_LARGEST_PAGE: Final = 65_536

_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_INTERIOR: Final = {_INTERIOR_INDEX, _INTERIOR_TABLE}
_LEAF: Final = {_LEAF_INDEX, _LEAF_TABLE}
_INTERIOR_HEAD: Final = 12
_LEAF_HEAD: Final = 8

_MAX_VARINT: Final = 9
_TEXT: Final = 13
"""The smallest serial type of a text; each byte adds two."""
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
"""By serial type; 8 and 9 are 0 and 1 themselves."""


class NoDatabaseError(Exception):
    """The file is none that can be read: no SQLite database, one of another kind, too large, or damaged."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of the file say of it."""

    page_size: int
    pages: int
    change_counter: int
    """Another one after each transaction that wrote."""

    @classmethod
    def read(cls, descriptor: int) -> Self:
        """Read it anew.

        Raises:
            NoDatabaseError: it is none.
            OSError: the file can't be read.
        """
        head = os.pread(descriptor, HEADER_BYTES, 0)
        if len(head) < HEADER_BYTES or not head.startswith(_MAGIC):
            raise NoDatabaseError("it is no SQLite database")
        if head[18:20] != _ROLLBACK_JOURNAL:
            raise NoDatabaseError("it keeps a write-ahead log, part of which may not be in the file yet")
        page_size = int.from_bytes(head[16:18])
        page_size = _LARGEST_PAGE if page_size == 1 else page_size
        if page_size < _SMALLEST_PAGE or page_size & (page_size - 1):
            raise NoDatabaseError("its pages are of an impossible size")
        pages = os.fstat(descriptor).st_size // page_size
        if pages > MAX_PAGES:
            raise NoDatabaseError(f"it has more than {MAX_PAGES:,} pages")
        return cls(page_size, pages, int.from_bytes(head[24:28]))


class SqliteFile:
    """One open file at one moment. Reads no page twice for one answer, so damage can't lead it astray for ever."""

    def __init__(self, descriptor: int, header: Header) -> None:
        self._descriptor = descriptor
        self._header = header

    def count(self, table: str) -> int:
        """Return how many rows a table has.

        Raises:
            NoDatabaseError: there is no such table, or the file is damaged.
            OSError: the file can't be read.
        """
        # Rows of an index tree, as a table without rowid is one, are in its inner pages too.
        return sum(
            cells for kind, cells, _ in self._tree(self._root_of(table)) if kind in _LEAF or kind == _INTERIOR_INDEX
        )

    def _root_of(self, table: str) -> int:
        """Look a table up in the schema, which is a table of its own and begins on the first page."""
        for kind, cells, number in self._tree(1):
            if kind != _LEAF_TABLE:
                continue
            page = self._page(number)
            for cell in self._cells(page, number, cells, _LEAF_HEAD):
                root = _root_in(page[cell:], table.encode())
                if root is not None:
                    return root
        raise NoDatabaseError(f"it has no table of the name {table}")

    def _tree(self, root: int) -> Iterator[tuple[int, int, int]]:
        """Yield each page of a tree: its kind, how many cells it has, and its number."""
        seen = bytearray(self._header.pages + 1)
        left = [root]
        while left:
            number = left.pop()
            if not 0 < number <= self._header.pages or seen[number]:
                raise NoDatabaseError("a page of it leads nowhere, or in a circle")
            seen[number] = 1
            start = HEADER_BYTES if number == 1 else 0
            head = self._read(number, start, _LEAF_HEAD)
            kind, cells = head[0], int.from_bytes(head[3:5])
            if kind in _INTERIOR:
                left += self._children(number, start, cells)
            elif kind not in _LEAF:
                raise NoDatabaseError("a page of it is of no known kind")
            yield kind, cells, number

    def _children(self, number: int, start: int, cells: int) -> list[int]:
        page = self._page(number)
        right_most = int.from_bytes(page[start + 8 : start + _INTERIOR_HEAD])
        return [right_most, *(int.from_bytes(page[at : at + 4]) for at in self._cells(page, number, cells, 12))]

    def _cells(self, page: bytes, number: int, cells: int, head: int) -> tuple[int, ...]:
        """Return where the cells of a page begin."""
        start = head + (HEADER_BYTES if number == 1 else 0)
        if start + 2 * cells > len(page):
            raise NoDatabaseError("a page of it has more cells than there is room for")
        return struct.unpack_from(f">{cells}H", page, start)

    def _page(self, number: int) -> bytes:
        return self._read(number, 0, self._header.page_size)

    def _read(self, number: int, start: int, size: int) -> bytes:
        found = os.pread(self._descriptor, size, (number - 1) * self._header.page_size + start)
        if len(found) < size:
            raise NoDatabaseError("it ends in the middle of a page")
        return found


def _root_in(cell: bytes, table: bytes) -> int | None:
    """Return the root page in a row of the schema, ``('table', name, name, root, sql)``, if it is that of this table.

    Only the beginning of a row that goes on on other pages is here; the row of a table with a name as short as that
    which is looked for has its root there.
    """
    _, at = _varint(cell, 0)  # how long the row is
    _, at = _varint(cell, at)  # its rowid
    size, after = _varint(cell, at)
    values = at + size
    types = []
    for _ in range(4):
        serial, after = _varint(cell, after)
        types.append(serial)
    kind, name, same, root = types
    if (
        (kind, name) != (_TEXT + 2 * len(b"table"), _TEXT + 2 * len(table))
        or same < _TEXT
        or root not in _INTEGER_BYTES
    ):
        return None
    texts = b"table" + table
    if cell[values : values + len(texts)] != texts:
        return None
    start = values + len(texts) + (same - _TEXT) // 2
    return int.from_bytes(cell[start : start + _INTEGER_BYTES[root]], signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length that begins there, and where it ends; past the end of the data, 0."""
    value = 0
    for position, byte in enumerate(data[at : at + _MAX_VARINT], 1):
        if position == _MAX_VARINT:
            return value << 8 | byte, at + position
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004  # the bit that says that more follows
            return value, at + position
    return 0, at + _MAX_VARINT
