"""The bans in fail2ban's database are counted exactly, and fail2ban never finds its own database locked."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.files import database
from exporter.files.database import Counted, count, size
from exporter.files.sqlite_file import SqliteFile
from tests.files.writer import ROWS, SCHEMA, Writer
from tests.nobody import as_nobody, let_everybody_reach
from tests.waiting import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with ten bans."""
    made = tmp_path / "fail2ban.sqlite3"
    with closing(sqlite3.connect(made)) as connection:
        connection.execute(SCHEMA)
        connection.executemany("INSERT INTO bans VALUES ('sshd', ?, 0, '{}')", [(str(number),) for number in range(10)])
        connection.commit()
    return made


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """Another process that has it open."""
    with Writer(path) as running:
        running.ask("SELECT 1")
        yield running


def bans(path: Path, pauses: list[float] | None = None) -> int | None:
    """What is counted, without waiting in between."""
    return count(str(path), Counted(), (pauses if pauses is not None else []).append).bans


def test_all_bans_are_counted_and_the_size_is_that_of_the_file(path: Path) -> None:
    assert bans(path) == 10
    assert size(str(path)) == path.stat().st_size


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_while_somebody_has_it_locked_for_writing_the_count_is_not_known_and_it_stays_theirs(
    path: Path, writer: Writer, lock: str
) -> None:
    writer.ask(f"BEGIN {lock}")
    writer.ask("INSERT INTO bans VALUES ('sshd', '192.0.2.1', 0, '{}')")

    assert bans(path) is None
    assert size(str(path)) == path.stat().st_size

    writer.ask("COMMIT")
    assert bans(path) == 11


def test_it_waits_about_a_second_at_most_for_a_lock_to_be_given_back(path: Path, writer: Writer) -> None:
    writer.ask("BEGIN EXCLUSIVE")
    pauses: list[float] = []
    assert bans(path, pauses) is None
    assert 0.5 < sum(pauses) < 1.5

    found = count(str(path), Counted(), lambda _: writer.ask("COMMIT"))

    assert found.bans == 10


def test_readers_locks_are_no_reason_not_to_read(path: Path, writer: Writer) -> None:
    writer.ask("BEGIN")
    writer.ask("SELECT count(*) FROM bans")

    assert bans(path) == 10


def test_at_no_moment_of_the_reading_is_anybody_kept_from_writing(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.ask("write 200")
    reads: list[int] = []
    plain, inode = os.pread, path.stat().st_ino

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        if len(reads) < 50:
            reads.append(offset)
            writer.ask("BEGIN EXCLUSIVE")
            locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
            assert [] == [line for line in locks if f" {os.getpid()} " in line and f":{inode} " in line]
            writer.ask("ROLLBACK")
        return plain(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", pread)

    assert bans(path) == 10 + 200 * ROWS
    assert len(reads) > 20


def test_what_is_written_while_it_is_read_is_counted_as_a_whole_or_not_at_all(path: Path, writer: Writer) -> None:
    writer.ask("DELETE FROM bans")
    writer.tell("write 3000 0.001")
    counted: set[int] = set()

    def is_done() -> bool:
        counted.update(found for _ in range(20) if (found := bans(path)) is not None)
        return 3000 * ROWS in counted

    wait_until(is_done, lambda: f"it is all written: {sorted(counted)[-3:]}")

    assert [] == [found for found in counted if found % ROWS]
    # No write of it failed, though it never waits for a lock.
    assert writer.hear() == {"rows": []}
    # Else it was no test: most of what was counted was read between two writes.
    assert len(counted) > 50


@pytest.mark.parametrize("moment", ["before it is read", "after it was read"])
def test_a_transaction_that_comes_and_goes_meanwhile_has_it_read_again(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    plain = SqliteFile.count
    counts: list[int] = []

    def slow(file: SqliteFile, table: str) -> int:
        if moment == "before it is read" and not counts:
            writer.ask("write 1")
        counts.append(plain(file, table))
        if moment == "after it was read" and len(counts) == 1:
            writer.ask("write 1")
        return counts[-1]

    monkeypatch.setattr(SqliteFile, "count", slow)

    assert bans(path) == 10 + ROWS
    assert len(counts) == 2


def test_what_is_being_written_as_it_begins_is_not_believed_even_if_that_has_ended_meanwhile(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.ask("BEGIN EXCLUSIVE")
    plain = SqliteFile.count

    def read_half(file: SqliteFile, table: str) -> int:
        # The writer has written the first page before, and writes this one now.
        number = plain(file, table)
        writer.ask("COMMIT")
        return number

    monkeypatch.setattr(SqliteFile, "count", read_half)

    assert bans(path) is None


def test_what_is_being_written_as_it_ends_is_not_believed_even_if_the_first_page_is_as_it_was(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SqliteFile.count

    def read_half(file: SqliteFile, table: str) -> int:
        writer.ask("BEGIN EXCLUSIVE")
        return plain(file, table)

    monkeypatch.setattr(SqliteFile, "count", read_half)

    assert bans(path) is None


def test_a_transaction_too_large_for_memory_is_not_read_half_written(path: Path, writer: Writer) -> None:
    writer.ask("PRAGMA cache_size = 10")
    writer.ask("BEGIN IMMEDIATE")
    writer.ask(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "INSERT INTO bans SELECT 'sshd', i, i, hex(randomblob(100)) FROM n"
    )
    assert path.stat().st_size > 500_000, "part of it is in the file by now"

    assert bans(path) is None
    writer.ask("ROLLBACK")
    assert bans(path) == 10


def test_an_unchanged_database_is_not_read_again(path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = count(str(path), Counted())
    counts: list[str] = []
    plain = SqliteFile.count

    def counting(file: SqliteFile, table: str) -> int:
        counts.append(table)
        return plain(file, table)

    monkeypatch.setattr(SqliteFile, "count", counting)

    assert count(str(path), before) is before
    assert counts == []

    writer.ask("write 1")
    assert count(str(path), before).bans == 10 + ROWS
    assert counts == ["bans"]


def test_nothing_is_made_or_changed_beside_it(path: Path) -> None:
    before = path.read_bytes(), path.stat().st_mtime_ns
    bans(path)

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_only_calls_are_those_that_take_no_lock_and_write_nothing(path: Path) -> None:
    watched = (
        "import fcntl, os, sys\n"
        "seen = []\n"
        "def hook(event, arguments):\n"
        "    if event.startswith(('fcntl', 'open', 'os.', 'sqlite3')): seen.append((event, arguments))\n"
        "from exporter.files.database import Counted, count\n"
        "sys.addaudithook(hook)\n"
        "assert count(sys.argv[1], Counted()).bans == 10\n"
        "asked = {(e, a[1]) for e, a in seen if e.startswith('fcntl')}\n"
        "assert asked == {('fcntl.fcntl', fcntl.F_GETLK)}, asked\n"
        "opened = [a for e, a in seen if e == 'open']\n"
        "writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC\n"
        "assert opened and not any(a[2] & writing for a in opened), opened\n"
        "assert {e.partition('.')[0] for e, _ in seen} == {'fcntl', 'open'}, seen\n"
        "assert 'sqlite3' not in sys.modules\n"
    )
    words = [sys.executable, "-c", watched, str(path)]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"])
def test_whatever_journal_is_kept_what_was_written_is_counted(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("DELETE FROM bans WHERE ip = '3'")
        connection.commit()
        found = bans(path)

    # What PERSIST leaves behind can't be told from a journal that is wanted still.
    assert found == (None if mode == "PERSIST" else 9)


def test_a_journal_that_a_crash_left_behind_is_not_ignored(path: Path) -> None:
    path.with_name(path.name + "-journal").write_bytes(b"x")

    assert bans(path) is None


def test_a_write_ahead_log_is_not_ignored(path: Path, writer: Writer) -> None:
    assert writer.ask("PRAGMA journal_mode = WAL") == [["wal"]]
    writer.ask("write 1")

    assert bans(path) is None


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def link_to_a_fifo(path: Path) -> None:
    fifo(path.rename(path.with_name("other")))
    path.symlink_to("other")


def unix_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("replace", [fifo, folder, device, link_to_a_fifo, unix_socket, Path.unlink])
def test_what_is_no_file_is_neither_opened_nor_waited_for(path: Path, replace: Callable[[Path], None]) -> None:
    replace(path)

    assert size(str(path)) is None
    assert bans(path) is None


def test_a_symbolic_link_to_it_is_followed(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)

    assert (size(str(link)), bans(link)) == (path.stat().st_size, 10)


@pytest.mark.parametrize(
    "path", ["/nowhere/x", ":memory:", "", ".", "/", "/dev/null", "/a\0b", "/\ud800", "/" + "x" * 300], ids=repr
)
def test_what_is_no_path_of_a_file_is_not_known(path: str) -> None:
    assert size(path) is None
    assert count(path, Counted()) == Counted()


def test_what_may_not_be_read_has_a_size_all_the_same(path: Path) -> None:
    path.chmod(0)
    let_everybody_reach(path)
    with as_nobody():
        assert bans(path) is None
        assert size(str(path)) == 8192


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 4096, b"SQLite format 3\0" + b"\xff" * 8192])
def test_what_is_no_database_is_not_known_and_costs_no_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    assert bans(path) is None
    assert size(str(path)) == len(content)


def test_a_file_cut_off_while_it_is_read_is_not_known(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SqliteFile.count

    def cut(file: SqliteFile, table: str) -> int:
        os.truncate(path, 5000)
        return plain(file, table)

    monkeypatch.setattr(SqliteFile, "count", cut)
    monkeypatch.setattr(database, "_PAUSE_SECONDS", 0.0)

    assert count(str(path), Counted()) == Counted()
