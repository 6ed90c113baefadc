"""The files are looked at beside the prober: what hangs there costs its own figures, for as long as it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from exporter.files.database import Counted
from exporter.files.log_files import Presence, Sight
from exporter.files.monitor import COUNT_INTERVAL, Edges, FilesMonitor
from exporter.files.mounts import MountTable
from exporter.model import Files, JailLogFiles, Probe, Result
from exporter.snapshot import Snapshot
from tests.snapshots import failure, jail, server, snapshot, success
from tests.waiting import DEADLINE, wait_until

TABLE = MountTable("1 0 8:1 / / rw - ext4 x rw\n2 1 0:40 / /nfs rw - nfs x rw")
SSHD = jail("sshd", log_files=("/var/log/auth.log",))
WEB = jail("web", log_files=("/nfs/a.log", "/nfs/b.log"))


class Host:
    """The host's files as a test wants them; also its clock."""

    def __init__(self, *probes: Probe) -> None:
        self.shown = snapshot(*probes)
        self.now = 1000.0
        self.sights: dict[str, Sight | Exception] = {}
        self.hanging = threading.Event()
        self.hanging.set()
        self.looked: list[str] = []
        self.size: int | None = 4096
        self.bans: int | None = 7
        self.counts = 0
        self.tables: dict[int | str, MountTable] = {"self": TABLE, 42: TABLE}
        self.told = 0
        edges = Edges(self._look, lambda _: self.size, self._count, self.tables.get, lambda: self.now, patience=0.05)
        self.monitor = FilesMonitor(lambda: self.shown, self._on_look, edges)

    def _look(self, path: str) -> Sight:
        self.looked.append(path)
        if path.startswith("/nfs"):
            self.hanging.wait(DEADLINE)
        found = self.sights.get(path, Sight(Presence.THERE, 900.0))
        if isinstance(found, Exception):
            raise found
        return found

    def _count(self, path: str, before: Counted) -> Counted:
        assert path.startswith("/")
        del before
        self.counts += 1
        return Counted(self.bans)

    def _on_look(self) -> None:
        self.told += 1

    def then(self, *probes: Probe, **options: Any) -> None:
        """More probes."""
        fresh = snapshot(*probes)
        self.shown = replace(fresh, options=replace(fresh.options, **options))

    def gone(self, path: str) -> None:
        """Take a file away."""
        self.sights[path] = Sight(Presence.ABSENT, resolved=path)

    def look(self) -> Files:
        """Look once, and return what was found."""
        found = self.monitor.look_once()
        assert found is not None
        return found

    def missing(self) -> dict[str, int | None]:
        """How many log files of each jail are missing now."""
        return {one.jail: one.missing for one in self.look().jails}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[Any]]:
    """What is logged."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_what_fail2ban_names_is_looked_at() -> None:
    host = Host(success(SSHD, WEB, jail("journal", log_files=None)))
    host.gone("/nfs/b.log")

    assert host.look() == Files(
        stale_at=1150.0,
        jails=(JailLogFiles("sshd", 1, 0, 900.0), JailLogFiles("web", 2, 1, 900.0)),
        database_bytes=4096,
        database_bans=7,
    )


def test_a_file_that_several_jails_watch_is_looked_at_once() -> None:
    host = Host(success(SSHD, replace(SSHD, name="other")))
    host.look()

    assert host.looked == ["/var/log/auth.log"]


@pytest.mark.parametrize("result", [result for result in Result if result is not Result.SUCCESS])
def test_while_fail2ban_is_not_online_its_log_files_are_looked_at_on_and_its_database_is_nobodys(
    result: Result,
) -> None:
    host = Host(success(SSHD))
    host.look()
    host.then(success(SSHD), failure(result))
    host.gone("/var/log/auth.log")

    assert host.look() == Files(stale_at=1150.0, jails=(JailLogFiles("sshd", 1, 1, None),))
    host.sights.clear()
    assert host.missing() == {"sshd": 0}


def test_before_fail2ban_was_ever_online_nothing_is_known() -> None:
    host = Host(failure())

    assert host.monitor.look_once() is None
    assert host.looked == []


def test_another_socket_is_another_fail2ban_with_other_files() -> None:
    host = Host(success(SSHD))
    host.look()
    host.then(failure(), socket="/run/other.sock")

    assert host.monitor.look_once() is None


def test_a_jail_that_runs_no_more_is_looked_at_no_more() -> None:
    host = Host(success(SSHD, WEB))
    host.look()
    host.then(success(WEB))

    assert host.missing() == {"web": 0}


def test_what_names_files_without_being_root_is_told_nothing_of_them() -> None:
    host = Host(success(SSHD, server=server(is_trusted=False)))

    assert host.monitor.look_once() is None
    assert (host.looked, host.counts) == ([], 0)


def test_a_fail2ban_that_keeps_no_database_has_none() -> None:
    host = Host(success(SSHD, database=None))

    assert (host.look().database_bytes, host.look().database_bans) == (None, None)


def test_the_bans_are_counted_once_a_minute() -> None:
    host = Host(success(SSHD))
    host.look()
    host.bans, host.size = 9, 8192
    host.now += COUNT_INTERVAL - 1

    assert (host.look().database_bans, host.look().database_bytes, host.counts) == (7, 8192, 1)
    host.now += 1
    assert (host.look().database_bans, host.counts) == (9, 2)


@pytest.mark.parametrize(
    ("then", "options"),
    [
        (success(SSHD, database="/var/lib/other.sqlite3"), {}),
        (success(SSHD), {"socket": "/run/other.sock"}),
    ],
    ids=["path", "socket"],
)
def test_the_count_of_one_database_is_never_that_of_another(then: Probe, options: dict[str, str]) -> None:
    host = Host(success(SSHD))
    host.look()
    host.bans = 123_456
    host.then(then, **options)

    assert host.look().database_bans == 123_456


def test_what_was_counted_before_another_server_answered_there_is_counted_anew() -> None:
    host = Host(success(SSHD))
    host.look()
    host.then(success(SSHD, server=server(is_trusted=False)))
    assert host.monitor.look_once() is None
    host.bans = 9
    host.then(success(SSHD))

    assert host.look().database_bans == 9


def test_a_count_that_could_not_be_made_is_made_again_sooner() -> None:
    host = Host(success(SSHD))
    host.bans = None
    assert host.look().database_bans is None
    host.bans = 7
    host.now += 10

    assert host.look().database_bans == 7


def test_a_file_system_that_hangs_costs_its_own_figures_and_those_for_as_long_as_it_does() -> None:
    host = Host(success(SSHD, WEB))
    host.look()
    host.hanging.clear()
    host.looked.clear()

    for _ in range(5):
        assert host.look().jails == (JailLogFiles("sshd", 1, 0, 900.0), JailLogFiles("web", 2, None, None))

    assert [path for path in host.looked if path.startswith("/nfs")] == ["/nfs/a.log"]
    host.hanging.set()
    wait_until(lambda: host.missing() == {"sshd": 0, "web": 0}, "it answers")


def test_a_container_that_sees_other_files_knows_nothing_of_fail2bans() -> None:
    host = Host(success(SSHD))
    host.tables["self"] = MountTable("1 0 0:99 / / rw - overlay x rw")

    assert host.look().jails == (JailLogFiles("sshd", 1, None, None),)
    host.gone("/var/log/auth.log")
    assert host.missing() == {"sshd": None}


def test_what_was_seen_of_the_mounts_stands_while_fail2ban_is_gone() -> None:
    host = Host(success(SSHD))
    host.look()
    del host.tables[42]
    host.then(success(SSHD), failure())
    host.gone("/var/log/auth.log")

    assert host.missing() == {"sshd": 1}


def test_news_is_passed_on_and_a_look_that_finds_the_same_is_none() -> None:
    host = Host(success(SSHD))
    host.look()
    host.now += 1
    host.look()
    assert host.told == 1

    host.gone("/var/log/auth.log")
    host.look()
    assert host.told == 2


@pytest.fixture
def running() -> Iterator[Host]:
    """A monitor on its thread, ended after the test."""
    host = Host(success(SSHD))
    host.monitor.start()
    yield host
    host.hanging.set()
    host.monitor.stop(DEADLINE)


def latest(host: Host) -> dict[str, int | None]:
    """What the thread has published."""
    found = host.monitor.latest
    return {one.jail: one.missing for one in found.jails} if found else {}


def test_other_files_are_looked_at_as_soon_as_they_are_named(running: Host) -> None:
    wait_until(lambda: latest(running) == {"sshd": 0}, "it has looked")
    running.then(success(SSHD, WEB))
    running.monitor.wake()

    wait_until(lambda: latest(running) == {"sshd": 0, "web": 0}, "it has looked at those too")


def test_the_same_files_are_looked_at_once_an_interval_whatever_wakes_it(running: Host) -> None:
    wait_until(lambda: latest(running) == {"sshd": 0}, "it has looked")
    for _ in range(20):
        running.monitor.wake()
    assert running.looked == ["/var/log/auth.log"]

    running.now += 30
    running.gone("/var/log/auth.log")
    running.monitor.wake()

    wait_until(lambda: latest(running) == {"sshd": 1}, "it has looked again")


def look_again(host: Host) -> None:
    """Have the thread look once more, and wait until it has."""
    before = host.monitor.latest
    host.now += 30
    host.monitor.wake()
    wait_until(lambda: host.monitor.latest is not before, "it has looked again")


def test_a_file_that_goes_and_comes_back_is_told_once_each_time(running: Host, quiet: list[Any]) -> None:
    wait_until(lambda: latest(running) == {"sshd": 0}, "it has looked")
    running.gone("/var/log/auth.log")
    look_again(running)
    look_again(running)
    running.sights.clear()
    look_again(running)
    look_again(running)

    told = {"event": "log_files_there", "log_level": "info", "jail": "sshd"}
    wait_until(lambda: told in quiet, "it is told")
    assert quiet == [
        {"event": "log_file_missing", "log_level": "warning", "jail": "sshd", "missing": 1, "watched": 1},
        told,
    ]


def test_a_file_system_that_hangs_and_one_that_answers_again_are_told_once(running: Host, quiet: list[Any]) -> None:
    running.hanging.clear()
    running.then(success(SSHD, WEB))
    running.monitor.wake()
    wait_until(lambda: latest(running) == {"sshd": 0, "web": None}, "it hangs")
    look_again(running)
    running.hanging.set()

    def answers() -> bool:
        look_again(running)
        return latest(running) == {"sshd": 0, "web": 0}

    wait_until(answers, "it answers")
    wait_until(lambda: len(quiet) > 1, "it is told")
    assert [line["event"] for line in quiet] == ["file_system_hangs", "file_system_answers"]


def test_a_single_look_logs_nothing(quiet: list[Any]) -> None:
    host = Host(success(SSHD))
    host.gone("/var/log/auth.log")
    host.look()

    assert quiet == []


def test_a_fault_of_its_own_leaves_nothing_known_and_is_told(running: Host, quiet: list[Any]) -> None:
    wait_until(lambda: latest(running) == {"sshd": 0}, "it has looked")
    running.sights["/var/log/auth.log"] = RuntimeError("no such thing")
    running.now += 30
    running.monitor.wake()

    wait_until(lambda: running.monitor.latest is None, "nothing is known")
    wait_until(lambda: [line["event"] for line in quiet] == ["files_look_broken"], "it is told")


def test_a_look_that_hangs_does_not_hold_up_the_end() -> None:
    host = Host(success(WEB))
    host.hanging.clear()
    host.monitor.start()
    wait_until(lambda: bool(host.looked), "it hangs")

    host.monitor.stop(DEADLINE)

    host.hanging.set()


def test_what_it_shows_is_taken_back_when_it_does_not_look_any_more() -> None:
    host = Host(success(SSHD))
    found = host.look()
    shown: Snapshot = replace(host.shown, files=found, beat=1200.0)

    assert shown.as_of(1149.0).log_files() != ()
    assert shown.as_of(1150.0).log_files() == ()
