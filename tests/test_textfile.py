"""What node_exporter reads is whole, readable, and gone when it could no longer be kept up to date."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from exporter.textfile import TextFile

OLD, NEW = b"fail2ban_up 0.0\n" * 2000, b"fail2ban_up 1.0\n" * 2000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fail2ban.prom"


Entries = list[structlog.typing.EventDict]


@pytest.fixture
def logged() -> Iterator[Entries]:
    """What is logged, as it comes."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def events(entries: Entries) -> list[str]:
    return [entry["event"] for entry in entries]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_file_is_there_whole_readable_by_everybody_and_alone(path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert TextFile(path).write(NEW)
    finally:
        os.umask(before)

    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == [path.name]


def test_a_later_one_takes_the_place_of_the_earlier(path: Path) -> None:
    file = TextFile(path)

    assert file.write(OLD)
    assert file.write(NEW)
    assert path.read_bytes() == NEW


def test_a_reader_never_sees_half_of_it(path: Path) -> None:
    file, seen, over = TextFile(path), set[bytes](), threading.Event()
    file.write(OLD)

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        file.write(NEW if number % 2 else OLD)
    over.set()
    reader.join()

    assert seen == {OLD, NEW}


def test_while_it_is_written_it_has_a_name_that_node_exporter_does_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_sync: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: at_sync.append(names(path.parent)))

    TextFile(path).write(NEW)

    before, after = at_sync  # the file, then the folder
    assert [name.endswith(".prom") for name in before] == [False]
    assert after == [path.name]


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(path: Path) -> None:
    precious = path.with_name("precious")
    precious.write_text("mine")
    path.with_name(f".{path.name}.{os.getpid()}.new").symlink_to(precious)

    assert TextFile(path).write(NEW)
    assert precious.read_text() == "mine"
    assert path.read_bytes() == NEW


def fail_to_sync(_: int) -> None:
    raise OSError(28, os.strerror(28))


def test_a_full_disk_is_told_once_and_leaves_neither_an_old_file_nor_half_of_a_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: Entries
) -> None:
    file = TextFile(path)
    assert file.write(OLD)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fail_to_sync)
        assert [file.write(NEW), file.write(NEW)] == [False, False]
        assert names(path.parent) == []
    assert events(logged) == ["textfile_unwritable"]

    assert file.write(NEW)
    assert path.read_bytes() == NEW
    assert events(logged) == ["textfile_unwritable", "textfile_writable_again"]


def test_a_folder_that_can_not_be_synced_has_the_new_file_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: Entries
) -> None:
    sync = os.fsync

    def sync_files_alone(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, os.strerror(22))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_files_alone)

    assert TextFile(path).write(NEW)
    assert path.read_bytes() == NEW
    assert events(logged) == []


def test_a_folder_that_comes_later_is_taken_up(path: Path, logged: Entries) -> None:
    later = path.parent / "later" / path.name
    file = TextFile(later)

    assert not file.write(NEW)
    later.parent.mkdir()
    assert file.write(NEW)
    assert events(logged) == ["textfile_unwritable", "textfile_writable_again"]


def test_what_is_no_file_is_neither_replaced_nor_removed(path: Path, logged: Entries) -> None:
    os.mkfifo(path)
    file = TextFile(path)

    assert not file.write(NEW)
    file.remove()
    assert path.is_fifo()
    assert names(path.parent) == [path.name]
    assert events(logged) == ["textfile_unwritable"]


def test_it_goes_when_it_is_taken_away_and_again_does_no_harm(path: Path) -> None:
    file = TextFile(path)
    file.write(NEW)

    file.remove()
    file.remove()

    assert names(path.parent) == []


@pytest.mark.parametrize(("name", "said"), [("fail2ban.prom", []), ("fail2ban.txt", ["textfile_not_read"])])
def test_a_name_that_node_exporter_does_not_read_is_told(
    path: Path, logged: Entries, name: str, said: list[str]
) -> None:
    assert TextFile(path.with_name(name)).write(NEW)
    assert events(logged) == said
