"""What systemd hears of the exporter: a wrong word here and a healthy exporter is killed, or a dead one left alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from exporter.service_manager import ServiceManager


class Manager:
    """The other end: a datagram socket, as systemd has one."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self._sock.settimeout(0)

    def told(self) -> list[dict[str, str]]:
        """What it was told since it was asked last."""
        messages: list[dict[str, str]] = []
        while True:
            try:
                text = self._sock.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@fail2ban-exporter-test-{os.getpid()}")
    yield made
    made.close()


def test_the_first_beat_says_that_the_exporter_is_ready_and_the_others_feed_the_watchdog(manager: Manager) -> None:
    service = ServiceManager(manager.address, 30.0)
    assert manager.told() == []

    service.beat()
    assert manager.told() == [{"READY": "1", "STATUS": "watching fail2ban"}]

    service.beat()
    service.beat()
    assert manager.told() == [{"WATCHDOG": "1"}] * 2


def test_without_a_watchdog_nobody_is_told_of_beats(manager: Manager) -> None:
    service = ServiceManager(manager.address, None)
    service.beat()
    manager.told()

    service.beat()

    assert manager.told() == []


@pytest.mark.parametrize(
    ("timeout", "told"),
    [
        pytest.param(10.0, [], id="a probe that the watchdog allows for"),
        pytest.param(15.0, [], id="just so"),
        pytest.param(600.0, [{"WATCHDOG_USEC": "615000000"}], id="a probe that takes longer than the watchdog waits"),
    ],
)
def test_a_slow_fail2ban_is_no_reason_to_kill_the_exporter(
    manager: Manager, timeout: float, told: list[dict[str, str]]
) -> None:
    service = ServiceManager(manager.address, 30.0)

    service.allow_for(timeout)
    service.allow_for(10.0)

    assert told == manager.told()


def test_a_watchdog_that_is_off_is_not_turned_on(manager: Manager) -> None:
    ServiceManager(manager.address, None).allow_for(600.0)

    assert manager.told() == []


@pytest.mark.parametrize(
    ("successfully", "status"),
    [
        pytest.param(True, "watching fail2ban", id="valid settings"),
        pytest.param(
            False,
            "watching fail2ban; the latest settings are faulty, and the former ones stay in force",
            id="faulty settings",
        ),
    ],
)
def test_a_reload_is_told_with_its_beginning_and_its_end(manager: Manager, status: str, *, successfully: bool) -> None:
    service = ServiceManager(manager.address, None, clock=lambda: 12.5)
    service.beat()
    manager.told()

    service.reloading()
    service.reloaded(successfully=successfully)

    assert manager.told() == [
        {"RELOADING": "1", "MONOTONIC_USEC": "12500000"},
        {"READY": "1", "STATUS": status},
    ]


def test_a_reload_before_the_first_probe_does_not_make_the_exporter_ready(manager: Manager) -> None:
    service = ServiceManager(manager.address, None)

    service.reloading()
    service.reloaded(successfully=True)

    assert manager.told() == []


def test_the_end_is_announced(manager: Manager) -> None:
    ServiceManager(manager.address, None).stopping()

    assert manager.told() == [{"STOPPING": "1", "STATUS": "ending"}]


def test_the_environment_names_the_manager_once_and_no_child_hears_of_it(manager: Manager) -> None:
    environ = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/root",
    }

    service = ServiceManager.of_environment(environ)

    assert environ == {"HOME": "/root"}
    service.beat()
    service.beat()
    assert [list(message) for message in manager.told()] == [["READY", "STATUS"], ["WATCHDOG"]]


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, id="for another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, id="turned off"),
        pytest.param({"WATCHDOG_USEC": "soon"}, id="no number"),
        pytest.param({"WATCHDOG_USEC": "-1"}, id="negative"),
        pytest.param({"WATCHDOG_USEC": "²"}, id="a digit that is none"),
        pytest.param({}, id="none"),
    ],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(manager: Manager, variables: dict[str, str]) -> None:
    service = ServiceManager.of_environment({"NOTIFY_SOCKET": manager.address, **variables})
    service.beat()
    manager.told()

    service.beat()

    assert manager.told() == []


def test_without_a_service_manager_nothing_is_sent_and_nothing_logged() -> None:
    with structlog.testing.capture_logs() as logs:
        service = ServiceManager.of_environment({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "1000000"})
        service.allow_for(600.0)
        service.beat()
        service.beat()
        service.reloading()
        service.reloaded(successfully=True)
        service.stopping()

    assert logs == []


@pytest.mark.parametrize(
    "address", ["/nowhere/notify", "@nobody-listens-here", "vsock:2:1", "relative", "/\0", "/" + 200 * "x", "@\udc80"]
)
def test_a_manager_that_can_not_be_told_is_logged_once_and_is_no_reason_to_end(address: str) -> None:
    service = ServiceManager(address, 30.0)

    with structlog.testing.capture_logs() as logs:
        service.beat()
        service.beat()

    assert [entry["event"] for entry in logs] == ["service_manager_unreachable"]
    assert logs[0]["socket"] == address
