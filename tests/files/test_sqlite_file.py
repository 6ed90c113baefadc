"""Rows are counted as SQLite counts them, and a damaged or hostile file costs neither time nor memory."""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.files import sqlite_file
from exporter.files.sqlite_file import Header, NoDatabaseError, SqliteFile


def count(path: Path, table: str = "bans") -> int:
    """What is counted in a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return SqliteFile(descriptor, Header.read(descriptor)).count(table)
    finally:
        os.close(descriptor)


@contextmanager
def made(page_size: int = 4096) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """An empty database, of SQLite's own making."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.sqlite3")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {page_size}")
            yield path, connection


FAIL2BANS = "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON)"
INDEXED = f"{FAIL2BANS}; CREATE INDEX bans_ip ON bans(ip); CREATE INDEX bans_jail_ip ON bans(jail, ip)"
WITHOUT_ROWID = (
    "CREATE TABLE bans(jail TEXT, ip TEXT, timeofban INTEGER, data JSON, PRIMARY KEY(timeofban)) WITHOUT ROWID"
)


@settings(max_examples=60, deadline=None)
@given(
    schema=st.sampled_from([FAIL2BANS, INDEXED, WITHOUT_ROWID]),
    page_size=st.sampled_from([512, 1024, 4096, 65_536]),
    vacuum=st.sampled_from(["NONE", "FULL", "INCREMENTAL"]),
    others=st.integers(0, 40),
    sizes=st.lists(st.integers(0, 5000), max_size=200),
    copies=st.integers(1, 20),
    deleted=st.integers(2, 9),
)
def test_it_counts_as_sqlite_does(  # noqa: PLR0913, PLR0917  # as many ways in which databases differ
    schema: str, page_size: int, vacuum: str, others: int, sizes: list[int], copies: int, deleted: int
) -> None:
    with made(page_size) as (path, connection):
        connection.execute(f"PRAGMA auto_vacuum = {vacuum}")
        # Some before it, so that the schema itself is a tree of several pages.
        for number in range(others):
            connection.execute(f"CREATE TABLE other{number}(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)")
        connection.executescript(schema)
        connection.execute("CREATE TABLE bips(a)")
        connection.execute("INSERT INTO bips VALUES (1)")
        connection.execute("BEGIN")
        rows = [size for size in sizes for _ in range(copies)]
        for number, size in enumerate(rows):
            connection.execute("INSERT INTO bans VALUES ('sshd', ?, ?, ?)", (f"192.0.2.{number}", number, "x" * size))
        connection.execute("COMMIT")
        assert count(path) == len(rows)

        connection.execute("DELETE FROM bans WHERE timeofban % ? = 0", (deleted,))

        [(expected,)] = connection.execute("SELECT count(*) FROM bans")
        assert count(path) == expected
        assert count(path, "bips") == 1


def test_a_table_of_many_pages_is_read_by_their_heads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with made() as (path, connection):
        connection.executescript(INDEXED)
        connection.execute("BEGIN")
        rows = [(str(number), number, "x" * 2000) for number in range(20_000)]
        connection.executemany("INSERT INTO bans VALUES ('sshd', ?, ?, ?)", rows)
        connection.execute("COMMIT")
        read: list[int] = []
        plain = os.pread

        def pread(descriptor: int, length: int, offset: int) -> bytes:
            read.append(length)
            return plain(descriptor, length, offset)

        monkeypatch.setattr(os, "pread", pread)

        assert count(path) == 20_000
        assert sum(read) < path.stat().st_size / 50


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW bans AS SELECT 1",
        "CREATE TABLE ban(a)",
        "CREATE TABLE bansy(a)",
        "CREATE TABLE other(a); CREATE INDEX bans ON other(a)",
        "CREATE TABLE other(a); CREATE TRIGGER bans AFTER INSERT ON other BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE bans USING fts4(a)",
    ],
)
def test_what_is_no_table_of_that_name_is_not_counted(statement: str) -> None:
    with made() as (path, connection):
        connection.executescript(statement)

        with pytest.raises(NoDatabaseError):
            count(path)


def built() -> bytes:
    """A database with a table of several levels."""
    with made(512) as (path, connection):
        connection.executescript(INDEXED)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO bans VALUES ('sshd', ?, ?, ?)", [(str(number), number, "x" * 300) for number in range(900)]
        )
        connection.execute("COMMIT")
        return path.read_bytes()


GOOD = built()


@settings(max_examples=400, deadline=2000)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8)), max_size=60),
    length=st.one_of(st.just(len(GOOD)), st.integers(0, len(GOOD))),
)
def test_any_damage_is_a_number_or_an_error_in_time(changes: list[tuple[int, bytes]], length: int) -> None:
    damaged = bytearray(GOOD)
    for place, what in changes:
        damaged[place : place + len(what)] = what
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.sqlite3")
        path.write_bytes(damaged[:length])
        with suppress(NoDatabaseError):
            assert count(path) >= 0


def page(number: int) -> slice:
    return slice((number - 1) * 512, number * 512)


def interior(children: list[int], size: int = 512) -> bytes:
    """An inner page of a table that leads to these pages."""
    cells = [struct.pack(">IB", child, 1) for child in children[:-1]]
    starts = [size - 5 * (place + 1) for place in range(len(cells))]
    head = struct.pack(">BHHHBI", 5, 0, len(cells), starts[-1] if starts else size, 0, children[-1])
    pointers = b"".join(struct.pack(">H", start) for start in starts)
    return (head + pointers).ljust(starts[-1] if starts else size, b"\0") + b"".join(reversed(cells))


def root() -> int:
    """The table's first page in `GOOD`."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.sqlite3")
        path.write_bytes(GOOD)
        with closing(sqlite3.connect(path)) as connection:
            [(number,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'bans'")
    return int(number)


def to_itself(number: int) -> bytes:
    return interior([number, number])


def to_all_over_again(number: int) -> bytes:
    """A page that leads thirty times to a page that does so too: to be counted for longer than the world lasts."""
    return interior([number + 1] * 30)


@pytest.mark.parametrize("attack", [to_itself, to_all_over_again])
def test_a_tree_that_has_no_end_ends(tmp_path: Path, attack: Callable[[int], bytes]) -> None:
    hostile, start = bytearray(GOOD), root()
    for number in range(start, start + 40):
        hostile[page(number)] = attack(number)
    path = tmp_path / "x.sqlite3"
    path.write_bytes(hostile)
    started = time.monotonic()

    with pytest.raises(NoDatabaseError):
        count(path)

    assert time.monotonic() - started < 5


def test_a_file_larger_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(GOOD)
    os.truncate(path, (sqlite_file.MAX_PAGES + 1) * 512)

    with pytest.raises(NoDatabaseError, match="more than"):
        count(path)
