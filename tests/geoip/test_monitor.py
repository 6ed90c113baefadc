"""Counting has a thread of its own: what it finds is shown, and what it can't do harms nothing."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter.geoip import GeoipMonitor, GeoipOptions
from exporter.geoip.process import HelperError
from exporter.model import GeoipDatabase
from tests.waiting import wait_until

TABLES = {"family": {"sshd": {"ipv4": 2, "ipv6": 0, "other": 0}}}
COUNTED = {"tables": TABLES, "faulty_lookups": {}}
SILENT = {"fault": "fail2ban_silent", "reason": "no socket at /run/f2b.sock"}


class Scripted:
    """A helper that answers one thing after the other, and then the last of them again and again."""

    def __init__(self, *replies: Mapping[str, Any] | Exception) -> None:
        self._replies = list(replies)
        self.requests: list[Mapping[str, Any]] = []
        self.counts = 0
        self.has_ended = False

    def ask(self, request: Mapping[str, Any], timeout: float = 0.0) -> dict[str, Any]:
        """Answer the next."""
        del timeout
        self.requests.append(request)
        if request["task"] == "inspect":
            return {"built_at": 1_700_000_000.0}
        self.counts += 1
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return dict(reply)

    def end(self) -> None:
        """Note it."""
        self.has_ended = True


def options(*, is_on: bool = True, interval: float = 0.01, **databases: Path) -> GeoipOptions:
    """What is asked of the monitor."""
    return GeoipOptions(
        is_on=is_on, socket="/run/f2b.sock", timeout=1, interval=interval, databases=databases, asn_limit=20
    )


RunMonitor = Callable[[GeoipOptions, Scripted], GeoipMonitor]


@pytest.fixture
def run_monitor() -> Iterator[RunMonitor]:
    """A factory: `run_monitor(options(), Scripted(…))` runs until the end of the test."""
    with ExitStack() as running:

        def run(asked: GeoipOptions, helper: Scripted) -> GeoipMonitor:
            monitor = GeoipMonitor(asked, helper)
            monitor.start()
            running.callback(monitor.stop, 60)
            return monitor

        yield run


def _shows(monitor: GeoipMonitor, tables: Mapping[str, Any], fault: str | None = None) -> Callable[[], bool]:
    return lambda: monitor.latest is not None and (tables, fault) == (monitor.latest.tables, monitor.latest.fault)


def test_off_nothing_is_asked_until_it_is_switched_on_and_nothing_is_shown_when_it_is_off_again(
    run_monitor: RunMonitor,
) -> None:
    helper = Scripted(COUNTED)
    monitor = run_monitor(options(is_on=False), helper)
    assert ([], None) == (helper.requests, monitor.latest)

    monitor.reconfigure(options())
    wait_until(_shows(monitor, TABLES), "it is on")
    assert {"task": "count", "socket": "/run/f2b.sock", "asn_limit": 20, "databases": {}} == helper.requests[0]

    monitor.reconfigure(options(is_on=False))
    wait_until(lambda: monitor.latest is None, "it is off")


def test_counts_that_could_not_be_made_show_none_and_say_why_until_they_can(run_monitor: RunMonitor) -> None:
    helper = Scripted(COUNTED, SILENT, SILENT, HelperError("it died"), KeyError("x"), COUNTED)

    with structlog.testing.capture_logs() as lines:
        monitor = run_monitor(options(), helper)
        wait_until(lambda: helper.counts > 6, "all was asked")

    assert _shows(monitor, TABLES)()
    assert ["no socket at /run/f2b.sock", "it died", "the count broke: KeyError"] == [
        line["reason"] for line in lines if line["event"] == "geoip_count_failed"
    ]
    assert ["geoip_count_broken", "geoip_count_failed", "geoip_count_works"] == [line["event"] for line in lines][-3:]


def test_while_counts_fail_there_are_no_old_figures(run_monitor: RunMonitor) -> None:
    monitor = run_monitor(options(), Scripted(COUNTED, SILENT))

    wait_until(_shows(monitor, {}, "no socket at /run/f2b.sock"), "none is shown")


def test_a_failed_count_is_tried_again_within_a_minute_however_long_the_interval() -> None:
    monitor = GeoipMonitor(options(interval=3600), Scripted(SILENT, COUNTED), lambda: 0.0)

    assert [60.0, 3600.0] == [monitor._turn(), monitor._turn()]  # noqa: SLF001


def test_a_database_is_loaded_kept_while_its_file_is_broken_and_let_go_of(
    run_monitor: RunMonitor, tmp_path: Path
) -> None:
    path = tmp_path / "country.mmdb"
    path.write_bytes(b"a database, as the helper has it")
    helper = Scripted(COUNTED)

    def state() -> list[GeoipDatabase]:
        return [] if monitor.latest is None else list(monitor.latest.databases)

    with structlog.testing.capture_logs() as lines:
        monitor = run_monitor(options(country=path), helper)
        wait_until(lambda: state() == [GeoipDatabase("country", True, 1_700_000_000.0)], "it is in use")  # noqa: FBT003
        path.unlink()
        wait_until(lambda: state() == [GeoipDatabase("country", False, 1_700_000_000.0)], "it is gone")  # noqa: FBT003
        assert set(helper.requests[-1]["databases"]) == {"country"}
        monitor.reconfigure(options())
        wait_until(lambda: monitor.latest is not None and not state(), "it is not wanted any more")

    assert [
        {
            "event": "geoip_database_loaded",
            "database": "country",
            "file": str(path),
            "built": "2023-11-14",
            "log_level": "info",
        },
        {
            "event": "geoip_database_faulty",
            "database": "country",
            "reason": f"{path}: No such file or directory",
            "in_use": "the old one stays in use",
            "log_level": "error",
        },
    ] == lines


def test_lookups_that_fail_are_said_once(run_monitor: RunMonitor) -> None:
    helper = Scripted({"tables": TABLES, "faulty_lookups": {"country": 3}})

    with structlog.testing.capture_logs() as lines:
        run_monitor(options(), helper)
        wait_until(lambda: helper.counts > 3, "several counts")

    assert [
        {
            "event": "geoip_lookups_failed",
            "database": "country",
            "lookups": 3,
            "counted_as": "unknown",
            "log_level": "error",
        }
    ] == lines


def test_a_count_under_way_is_ended_and_does_not_hold_up_the_end() -> None:
    asked, goes_on = threading.Event(), threading.Event()

    class Hanging(Scripted):
        def ask(self, request: Mapping[str, Any], timeout: float = 0.0) -> dict[str, Any]:
            del request, timeout
            asked.set()
            goes_on.wait(60)
            return {}

    helper = Hanging(COUNTED)
    monitor = GeoipMonitor(options(), helper)
    monitor.start()
    asked.wait(60)

    monitor.stop(patience=0)

    assert (True, None) == (helper.has_ended, monitor.latest)
    goes_on.set()
    monitor.stop(60)
