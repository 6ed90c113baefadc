"""What happens to a database's file never reaches what is in use, and is said in words that help."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from exporter.geoip import database, database_faults
from exporter.geoip.database import DatabaseFile
from exporter.geoip.process import Helper
from exporter.geoip.reader import Database
from tests.geoip import databases


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good database of countries."""
    return databases.write(tmp_path / "country.mmdb", databases.COUNTRIES)


@pytest.fixture
def file(path: Path) -> Iterator[DatabaseFile]:
    """The same, in use."""
    with ExitStack() as closing:
        used = DatabaseFile("country", path, Helper())
        closing.callback(used.close)
        assert used.look()
        assert used.fault is None
        yield used


def _country(file: DatabaseFile, address: str = "192.0.2.1") -> str:
    assert file.descriptor is not None
    return Database.open("country", file.descriptor).label(address)


def test_a_good_one_has_no_faults(path: Path) -> None:
    assert () == database_faults("country", path)


def test_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "country.mmdb"

    assert (f"{path}: No such file or directory",) == database_faults("country", path)


def test_one_that_may_not_be_read_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read all, so the kernel's answer is put in its mouth.
    def denied(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)

    assert (f"{path}: Permission denied",) == database_faults("country", path)


def test_a_folder_and_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mmdb"
    os.mkfifo(pipe)

    assert (f"{tmp_path}: not a regular file",) == database_faults("country", tmp_path)
    assert (f"{pipe}: not a regular file",) == database_faults("country", pipe)


@pytest.mark.parametrize("part", [0, 10, 0.5, 0.99])
def test_one_that_was_cut_short_is_said(path: Path, part: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part if part >= 1 else len(whole) * part)])

    (fault,) = database_faults("country", path)

    assert f"{path}: no MaxMind database (.mmdb, unpacked), or corrupt, or cut short on its way here" == fault


def test_a_packed_one_is_said(path: Path) -> None:
    path.write_bytes(b"\x1f\x8b" + os.urandom(1000))

    assert "unpacked" in database_faults("country", path)[0]


def test_one_of_another_kind_is_said(path: Path, tmp_path: Path) -> None:
    asn = databases.write(tmp_path / "asn.mmdb", databases.NETWORKS)

    assert (f"{asn}: none of its first networks names a country: a database of another kind",) == database_faults(
        "country", asn
    )
    assert "names an autonomous system" in database_faults("asn", path)[0]


def test_one_that_is_too_large_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_BYTES", 1000)

    assert "larger than 0 MiB, which is what is held in memory" in database_faults("country", path)[0]


def test_one_that_is_being_written_to_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = os.pread

    def written_meanwhile(descriptor: int, length: int, offset: int) -> bytes:
        path.write_bytes(path.read_bytes() + b"more")
        monkeypatch.setattr(os, "pread", read)
        return read(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", written_meanwhile)

    assert "it is being written to" in database_faults("country", path)[0]


def test_without_the_library_it_is_said_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = (
        "import sys; sys.path[:] = sys.argv[1:]; sys.modules['maxminddb'] = None\n"
        "from exporter.geoip.helper import main; main()"
    )
    monkeypatch.setattr("exporter.geoip.process._START", start)

    assert (
        "reading it takes the package maxminddb, which is not installed: pip install 'fail2ban-exporter[geoip]'",
    ) == database_faults("country", path)


def test_a_new_file_in_its_place_is_taken_over(path: Path, file: DatabaseFile) -> None:
    databases.write(path, {"192.0.2.0/24": databases.country("PL")})

    assert file.look()
    assert file.fault is None
    assert "PL" == _country(file)


def test_one_that_has_not_changed_is_not_read_again(file: DatabaseFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pread", None)

    assert not file.look()


def test_a_new_file_that_is_broken_changes_nothing_and_is_said_once(path: Path, file: DatabaseFile) -> None:
    path.write_bytes(b"rubbish")

    assert file.look()
    assert file.fault is not None
    assert "no MaxMind database" in file.fault
    assert "DE" == _country(file)
    assert not file.look()

    databases.write(path, {"192.0.2.0/24": databases.country("PL")})
    assert file.look()
    assert "PL" == _country(file)


def test_one_that_is_cut_to_nothing_while_it_is_in_use_is_in_use_still(path: Path, file: DatabaseFile) -> None:
    assert file.descriptor is not None
    reader = Database.open("country", file.descriptor)
    os.truncate(path, 0)

    assert "FR" == reader.label("198.51.100.1")
    assert file.look()
    assert ("DE", "NL") == (_country(file), _country(file, "2001:db8::1"))


def test_one_that_goes_is_in_use_still_and_well_when_it_is_back(path: Path, file: DatabaseFile) -> None:
    elsewhere = path.rename(path.with_name("elsewhere"))
    assert file.look()
    assert f"{path}: No such file or directory" == file.fault
    assert "DE" == _country(file)

    elsewhere.rename(path)
    assert file.look()
    assert file.fault is None


def test_no_descriptor_is_left_behind(path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    file = DatabaseFile("country", path, Helper())
    file.look()
    path.write_bytes(b"rubbish")
    file.look()
    databases.write(path, databases.COUNTRIES)
    file.look()
    file.close()
    database_faults("country", path)

    assert before == sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_an_address_whose_record_is_corrupt_is_unknown_and_counted() -> None:
    class Corrupt:
        def get(self, address: str) -> object:
            if address == "192.0.2.1":
                raise maxminddb.InvalidDatabaseError("corrupt")
            return {"country": {"iso_code": "DE"}}

    read = Database("country", Corrupt())

    assert ["unknown", "DE"] == [read.label("192.0.2.1"), read.label("192.0.2.2")]
    assert 1 == read.faulty_lookups
