"""Log files and databases of real fail2ban servers: what is told is what is on the disk, at no cost to fail2ban."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from exporter.files.database import Counted, count
from tests.exporter_program import ExporterProgram
from tests.faults.hanging import Hanging
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.programs import FAIL2BAN_VERSIONS
from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import wait_until

MISSING = "fail2ban_jail_log_files_missing"
MODIFIED = "fail2ban_jail_log_last_modified_timestamp_seconds"
WATCHED = "fail2ban_jail_log_files"


def watching(fail2ban: RealFail2ban, run_exporter: RunExporter, **environment: str) -> ExporterProgram:
    """An exporter that has looked at the log files once."""
    flags = (f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=100ms")
    exporter = run_exporter(*flags, environment=environment)
    exporter.wait_for(MISSING, 0, jail="sshd")
    return exporter


def rows(database: Path | None) -> int:
    """The bans in a database that nobody writes to, as SQLite counts them."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        [(number,)] = connection.execute("SELECT count(*) FROM bans")
    return int(number)


def test_a_log_file_that_is_taken_away_is_missing_until_another_one_is_there(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watching(fail2ban, run_exporter)
    log = fail2ban.log_path("sshd")
    assert exporter.value(WATCHED, jail="sshd") == 1
    assert exporter.value(MODIFIED, jail="sshd") == log.stat().st_mtime

    fail2ban.fail("sshd", "198.51.100.1", times=1)
    exporter.wait_for(MODIFIED, log.stat().st_mtime, jail="sshd")

    # As logrotate does it: the old one goes by another name, and for a moment there is none.
    log.rename(log.with_suffix(".log.1"))
    exporter.wait_for(MISSING, 1, jail="sshd")
    exporter.wait_for(MODIFIED, None, jail="sshd")
    assert exporter.value(MISSING, jail="web") == 0
    assert exporter.value(WATCHED, jail="sshd") == 1
    log.touch()
    exporter.wait_for(MISSING, 0, jail="sshd")
    assert exporter.value(MODIFIED, jail="sshd") == log.stat().st_mtime

    assert len(exporter.events("log_file_missing")) == 1
    assert len(exporter.events("log_files_there")) == 1


def test_while_fail2ban_is_stopped_its_log_files_are_still_looked_at(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watching(fail2ban, run_exporter)
    fail2ban.stop()
    exporter.wait_state("offline")
    assert exporter.value(WATCHED, jail="sshd") == 1
    assert exporter.value(MISSING, jail="sshd") == 0
    assert exporter.value("fail2ban_jail_banned_ips", jail="sshd") is None

    log = fail2ban.log_path("sshd")
    log.unlink()
    exporter.wait_for(MISSING, 1, jail="sshd")
    log.touch()
    exporter.wait_for(MISSING, 0, jail="sshd")
    assert exporter.value(MODIFIED, jail="sshd") == log.stat().st_mtime
    assert exporter.value("fail2ban_database_bans") is None


def test_a_folder_that_is_gone_takes_the_log_files_of_all_jails_with_it(
    fail2ban: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = watching(fail2ban, run_exporter)

    shutil.rmtree(fail2ban.log_path("sshd").parent)

    for jail in ("sshd", "web", "mail"):
        exporter.wait_for(MISSING, 1, jail=jail)
    assert exporter.value("fail2ban_up") == 1
    concerns = exporter.status()["concerns"]
    assert concerns[0]["problem"] == "3 log files of 3 jails are missing: what would be written there goes unseen."


def test_an_exporter_that_starts_later_sees_what_is_missing_and_says_so_by_its_commands_too(
    fail2ban: RealFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    fail2ban.log_path("sshd").unlink()
    exporter = watching_web(fail2ban, run_exporter)
    assert exporter.value(MISSING, jail="sshd") == 1

    words = [sys.executable, "-m", "exporter", "probe", f"--fail2ban.socket={fail2ban.socket}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    found = {jail["name"]: jail["log_files_missing"] for jail in json.loads(done.stdout)["jails"]}
    assert found == {"sshd": 1, "web": 0, "mail": 0}

    output = tmp_path / "f2b.prom"
    words = [*words[:3], "textfile", "--once", f"--output={output}", words[-1]]
    subprocess.run(words, capture_output=True, check=True, timeout=60)
    assert f'{MISSING}{{jail="sshd"}} 1.0' in output.read_text(encoding="utf-8")


def watching_web(fail2ban: RealFail2ban, run_exporter: RunExporter) -> ExporterProgram:
    exporter = run_exporter(f"--fail2ban.socket={fail2ban.socket}", "--probe.interval=100ms")
    exporter.wait_for(MISSING, 0, jail="web")
    return exporter


def with_a_file_on_another_disk(make: MakeFail2ban, version: str, scratch: Path) -> tuple[RealFail2ban, Path]:
    """A server of which one jail watches a file in a folder that can be made to hang; and that folder."""
    away = scratch / "away"
    away.mkdir()
    (away / "web.log").touch()
    # It waits for inotify's events there. One that polls would hang on the file too: whoever looks for a name that
    # another process has been looking for since the disk hangs is held by the kernel, and can't be killed until that
    # has ended. Nothing that the exporter does changes that.
    jails = [Jail("sshd"), Jail("web", log_file=str(away / "web.log"), backend="pyinotify")]
    fail2ban = make(version, jails, libraries=["pyinotify"])
    fail2ban.start()
    return fail2ban, away


@pytest.mark.parametrize("version", ["1.0.2", "1.1.0"])
def test_a_file_system_that_hangs_holds_up_neither_probes_nor_scrapes_nor_the_end(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path, version: str
) -> None:
    fail2ban, away = with_a_file_on_another_disk(make_fail2ban, version, tmp_path)
    hanging = Hanging(away, tmp_path)
    exporter = watching(fail2ban, run_exporter, **hanging.environment)
    exporter.wait_for(MISSING, 0, jail="web")

    with hanging.hangs():
        exporter.wait_for(MISSING, None, jail="web")

        probes = exporter.value("fail2ban_probes_total", result="success") or 0
        slowest = 0.0
        for _ in range(50):
            started = time.monotonic()
            assert exporter.get("/metrics").status == exporter.get("/").status == 200
            slowest = max(slowest, time.monotonic() - started)
        print(f"two requests took {slowest * 1000:.1f} ms at most")
        assert slowest < 5
        wait_until(lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) > probes + 5, "it probes")
        assert exporter.value("fail2ban_up") == 1
        assert exporter.value(MODIFIED, jail="web") is None
        # What is elsewhere is looked at all the same.
        fail2ban.log_path("sshd").unlink()
        exporter.wait_for(MISSING, 1, jail="sshd")
        assert exporter.get("/-/healthy").status == 200
        assert len(exporter.events("file_system_hangs")) == 1

        status, seconds = exporter.stop()
        print(f"ended in {seconds:.2f} s")
        assert status == 0
        assert seconds < 5


@pytest.mark.parametrize("version", ["1.0.2", "1.1.0"])
def test_what_hung_is_told_again_once_it_answers(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, tmp_path: Path, version: str
) -> None:
    fail2ban, away = with_a_file_on_another_disk(make_fail2ban, version, tmp_path)
    hanging = Hanging(away, tmp_path)
    # What is injected where nothing can be mounted hangs for good.
    exporter = watching(fail2ban, run_exporter, **hanging.environment)

    with hanging.hangs():
        exporter.wait_for(MISSING, None, jail="web")

    if not hanging.environment:
        exporter.wait_for(MISSING, 0, jail="web")
        assert exporter.value(MODIFIED, jail="web") == (away / "web.log").stat().st_mtime


@pytest.mark.parametrize("version", FAIL2BAN_VERSIONS)
def test_while_fail2ban_bans_its_database_is_counted_all_the_time_and_no_write_of_it_fails(
    make_fail2ban: MakeFail2ban, version: str
) -> None:
    fail2ban = make_fail2ban(version, [Jail("sshd", maxretry=1)])
    fail2ban.start()
    assert fail2ban.dbfile is not None
    counted: list[int | None] = []
    done = threading.Event()

    def keep_counting() -> None:
        while not done.wait(0.001):
            counted.append(count(str(fail2ban.dbfile), Counted(), lambda _: done.wait(0.001)).bans)

    counter = threading.Thread(target=keep_counting)
    counter.start()
    try:
        addresses = [f"198.51.100.{number}" for number in range(1, 251)]
        for first in range(0, len(addresses), 50):
            for address in addresses[first : first + 50]:
                fail2ban.fail("sshd", address)
            fail2ban.wait_banned("sshd", *addresses[first : first + 50])
        wait_until(lambda: bool(counted) and counted[-1] == len(addresses), lambda: f"all are counted: {counted[-5:]}")
    finally:
        done.set()
        counter.join()

    known = [number for number in counted if number is not None]
    assert known == sorted(known)
    # Else it was no test: it was read in between the bans.
    print(f"{len(known)} counts, {len(set(known))} of them different ones")
    assert len(set(known)) > 5
    assert fail2ban.complaints() == []
    fail2ban.stop()
    assert rows(fail2ban.dbfile) == len(addresses)
    assert [] == [file.name for file in fail2ban.folder.glob("*.sqlite3-*")]


def test_the_bans_in_the_database_are_told(fail2ban: RealFail2ban, run_exporter: RunExporter) -> None:
    for number in range(3):
        fail2ban.fail("sshd", f"198.51.100.{number}")
    fail2ban.wait_banned("sshd", *(f"198.51.100.{number}" for number in range(3)))
    exporter = watching(fail2ban, run_exporter)

    exporter.wait_for("fail2ban_database_bans", 3)
    assert exporter.status()["database_bans"] == 3

    # A ban that ends stays in the database: it is what a longer ban for those who come again goes by.
    fail2ban.client("set", "sshd", "unbanip", "198.51.100.1")
    restarted = watching(fail2ban, run_exporter)
    restarted.wait_for("fail2ban_database_bans", rows_of_running(fail2ban))


def rows_of_running(fail2ban: RealFail2ban) -> int:
    """The bans in the database of a running server, as SQLite counts them in a copy."""
    copy = fail2ban.folder / "copy"
    shutil.copyfile(fail2ban.dbfile or "", copy)
    return rows(copy)
