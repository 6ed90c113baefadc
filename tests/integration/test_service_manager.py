"""The program under a service manager: what it is told, and when, and that it is not told what is no longer so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import MakeFail2ban
from tests.real_fail2ban import Jail
from tests.waiting import DEADLINE, wait_until

# Between a fork and an exec: moves the socket to where systemd passes it and says whom it is for.
_LAUNCH = """
import os, sys
descriptor = int(sys.argv[1])
if descriptor != 3:
    os.dup2(descriptor, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="http", WATCHDOG_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

# The program itself, with the event loop or the prober brought to a halt by SIGUSR1.
_HALTING = """
import signal, sys, threading, time
from exporter.fail2ban import Client
from exporter.cli import main
halt = threading.Event()
what = sys.argv.pop(1)
probe = Client.probe
def halting_probe(self, timeout):
    while what == "prober" and halt.is_set():
        time.sleep(0.01)
    return probe(self, timeout)
Client.probe = halting_probe
def halted(*_):
    halt.set()
    while what == "loop":
        time.sleep(0.01)
signal.signal(signal.SIGUSR1, halted)
sys.exit(main(sys.argv[1:]))
"""


class Service:
    """The exporter as a service: what systemd does before, and what it hears."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(folder / "notify"))
        self._notify.settimeout(DEADLINE)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, str(self.listener.fileno()), *words],
                stdin=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[self.listener.fileno()],
                env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "30000000"},
            )

    def next_message(self) -> dict[str, str]:
        """The next message, waited for."""
        return dict(line.split("=", 1) for line in self._notify.recv(4096).decode().split("\n"))

    def skip_to(self, name: str) -> dict[str, str]:
        """The next message that has a key; those before it are signs of life."""
        while name not in (message := self.next_message()):
            assert message == {"WATCHDOG": "1"}
        return message

    def is_silent_for(self, seconds: float) -> bool:
        """Whether there is an end to the signs of life, with no more than the one or two that were on their way."""
        end = time.monotonic() + DEADLINE
        self._notify.settimeout(seconds)
        try:
            while time.monotonic() < end:
                self.next_message()
        except TimeoutError:
            return True
        finally:
            self._notify.settimeout(DEADLINE)
        return False

    def get(self, path: str) -> str:
        """GET a path."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=DEADLINE) as response:
            return str(response.read().decode())

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._notify.close()
        self.listener.close()


@contextmanager
def service(folder: Path, *words: str) -> Iterator[Service]:
    made = Service(folder, *words)
    try:
        yield made
    except BaseException:
        print(made.log.read_text(encoding="utf-8"))
        raise
    finally:
        made.close()


PROGRAM = ("-m", "exporter", "--web.systemd-socket")


def test_it_serves_on_the_passed_socket_and_tells_systemd_of_its_life_from_beginning_to_end(
    make_fail2ban: MakeFail2ban, tmp_path: Path
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    server.start()
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[fail2ban]\nsocket = "{server.socket}"\n')
    with service(tmp_path, *PROGRAM, f"--config.file={settings}") as exporter:
        assert exporter.next_message() == {"READY": "1", "STATUS": "watching fail2ban"}
        assert exporter.next_message() == {"WATCHDOG": "1"}
        wait_until(lambda: 'fail2ban_jail_up{jail="sshd"} 1.0' in exporter.get("/metrics"), "the jail is seen")
        assert f"event=listening addresses=127.0.0.1:{exporter.port}" in exporter.log.read_text(encoding="utf-8")

        settings.write_text('[probe]\ntimeout = "100s"\n')
        exporter.process.send_signal(signal.SIGHUP)
        begun = exporter.skip_to("RELOADING")
        assert abs(int(begun["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < DEADLINE
        assert exporter.next_message() == {"WATCHDOG_USEC": "115000000"}
        assert exporter.next_message() == {"READY": "1", "STATUS": "watching fail2ban"}

        settings.write_text('[probe]\ntimeout = "soon"\n')
        exporter.process.send_signal(signal.SIGHUP)
        exporter.skip_to("RELOADING")
        assert "faulty" in exporter.next_message()["STATUS"]

        exporter.process.send_signal(signal.SIGTERM)
        exporter.skip_to("STOPPING")
        assert exporter.process.wait(DEADLINE) == 0


def test_it_is_ready_before_a_hanging_fail2ban_has_answered(make_fail2ban: MakeFail2ban, tmp_path: Path) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    server.start()
    server.sigstop()
    with service(tmp_path, *PROGRAM, f"--fail2ban.socket={server.socket}", "--probe.timeout=10m") as exporter:
        assert exporter.next_message() == {"WATCHDOG_USEC": "615000000"}
        assert exporter.next_message()["READY"] == "1"
        assert 'fail2ban_state{fail2ban_state="unknown"} 1.0' in exporter.get("/metrics")


@pytest.mark.parametrize("command", [("--web.systemd-socket",), ("textfile", "--output", "{folder}/fail2ban.prom")])
@pytest.mark.parametrize("what", ["prober", "loop"])
def test_no_sign_of_life_comes_from_a_halted_thread_though_the_other_one_runs(
    what: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    words = [word.format(folder=tmp_path) for word in command]
    with service(tmp_path, "-c", _HALTING, what, *words, f"--fail2ban.socket={tmp_path}/none") as exporter:
        assert exporter.next_message()["READY"] == "1"
        assert exporter.next_message() == {"WATCHDOG": "1"}

        exporter.process.send_signal(signal.SIGUSR1)

        assert exporter.is_silent_for(5.0)
        assert exporter.process.poll() is None


def test_without_http_it_tells_systemd_the_same(tmp_path: Path) -> None:
    output, settings = tmp_path / "fail2ban.prom", tmp_path / "settings.toml"
    settings.write_text(f'[fail2ban]\nsocket = "{tmp_path}/none"\n')
    with service(
        tmp_path, "-m", "exporter", "textfile", "--output", str(output), f"--config.file={settings}"
    ) as exporter:
        assert exporter.next_message() == {"READY": "1", "STATUS": "watching fail2ban"}
        wait_until(output.exists, "the file is there")

        settings.write_text('[probe]\ntimeout = "soon"\n')
        exporter.process.send_signal(signal.SIGHUP)
        exporter.skip_to("RELOADING")
        assert "faulty" in exporter.next_message()["STATUS"]

        exporter.process.send_signal(signal.SIGTERM)
        exporter.skip_to("STOPPING")
        assert exporter.process.wait(DEADLINE) == 0
        assert not output.exists()


def test_a_passed_socket_that_is_not_asked_for_is_told_of_and_not_left_to_clients_that_nobody_serves(
    tmp_path: Path,
) -> None:
    words = ("-m", "exporter", "--web.listen-address=127.0.0.1:0", f"--fail2ban.socket={tmp_path}/none")
    with service(tmp_path, *words) as exporter:
        assert exporter.next_message()["READY"] == "1"

        log = exporter.log.read_text(encoding="utf-8")
        assert "event=passed_socket_unused" in log
        assert f"addresses=127.0.0.1:{exporter.port}" not in log
