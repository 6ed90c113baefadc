"""What runs out, or jumps, around the exporter is not put down to fail2ban, and does not end it."""

import http.client
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.faults.mounts import small_disk
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.soak.invariants import Scrape, faults_of
from tests.soak.trend import Reading
from tests.waiting import DEADLINE, wait_until


@pytest.fixture
def server(make_fail2ban: MakeFail2ban) -> RealFail2ban:
    running = make_fail2ban("1.1.1", [Jail("sshd")])
    running.start()
    return running


def limit(exporter: ExporterProgram, descriptors: int) -> None:
    """Let it have so many descriptors."""
    _, hard = resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


def test_without_descriptors_it_says_so_of_itself_and_nothing_of_fail2ban(
    server: RealFail2ban, run_exporter: RunExporter
) -> None:
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.interval=100ms")
    exporter.wait_for("fail2ban_up", 1)
    connection = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=DEADLINE)

    def scrape() -> Scrape:
        connection.request("GET", "/metrics")
        return Scrape.read(connection.getresponse().read().decode())

    with closing(connection):
        scrape()
        before, _ = resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE)
        # None for a new connection, for which it has cause when fail2ban is another one.
        limit(exporter, 3)
        server.kill()
        server.start()

        wait_until(lambda: scrape().states() == ["inaccessible"], lambda: f"it says so: {exporter.log()}")
        assert list(faults_of(scrape())) == []
        limit(exporter, before)

    exporter.wait_state("online")
    assert "the system does not let the exporter use" in exporter.log()
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
    assert exporter.value("fail2ban_server_restarts_total") == 1
    assert "Traceback" not in exporter.log()


LIMITED = """
import resource, sys
from exporter.state_file import StateFile
from tests.test_state_file import SOCKET, TRACES, NOW, WALL, blamed

errors = []
file = StateFile(sys.argv[1], lambda: errors.append(1))
file.keep(blamed("old"), SOCKET, TRACES, NOW, WALL)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
file.keep(blamed("new"), SOCKET, TRACES, NOW, WALL)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert errors == [1], errors
assert file.load().recovery.pending() == ("old",)
file.keep(blamed("new"), SOCKET, TRACES, NOW, WALL)
assert file.load().recovery.pending() == ("new",)
assert errors == [1], errors
"""


def test_a_limit_on_files_is_as_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "state.json")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def fill(file: Path) -> None:
    """Leave no room on its disk."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_on_a_full_disk_it_goes_on_and_counts_what_it_could_not_write(
    server: RealFail2ban, run_exporter: RunExporter, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 64) as is_mounted:
        exporter = run_exporter(
            f"--fail2ban.socket={server.socket}",
            "--probe.interval=100ms",
            f"--recovery.state-file={disk}/state.json",
            "--web.enable-lifecycle",
        )
        exporter.wait_for("fail2ban_up", 1)
        wait_until((disk / "state.json").exists, "the first state is written")
        full = _fill_or_take_away(disk, is_mounted=is_mounted)

        assert exporter.post("/-/activations", {"jail": "web"}).status == 202

        errors = "fail2ban_exporter_state_file_errors_total"
        wait_until(lambda: (exporter.value(errors) or 0) > 0, lambda: f"it is counted: {exporter.log()}")
        assert exporter.value("fail2ban_up") == 1
        assert exporter.value("fail2ban_activations_total", source="reported") == 1
        assert len(exporter.events("state_file_unwritable")) == 1

        full()
        exporter.post("/-/activations", {"jail": "mail"})
        wait_until(lambda: len(exporter.events("state_file_writable_again")) == 1, "it is written again")
        assert exporter.stop()[0] == 0
        assert '"mail"' in (disk / "state.json").read_text(encoding="utf-8")


def _fill_or_take_away(disk: Path, *, is_mounted: bool) -> Callable[[], object]:
    """Fill the disk; where none could be mounted, put its folder away. Returns what takes that back."""
    if is_mounted:
        fill(disk / "filler")
        return (disk / "filler").unlink
    aside = disk.rename(disk.with_name("aside"))
    return lambda: aside.rename(disk)


@pytest.mark.parametrize("jump", ["+1d", "-1d"])
def test_a_clock_that_jumps_moves_timestamps_and_nothing_else(
    server: RealFail2ban, run_exporter: RunExporter, tmp_path: Path, jump: str
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n", encoding="ascii")
    exporter = run_exporter(
        f"--fail2ban.socket={server.socket}",
        "--probe.interval=100ms",
        f"--recovery.state-file={tmp_path}/state.json",
        "--web.enable-lifecycle",
        environment={
            "LD_PRELOAD": str(programs.libfaketime()),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            # A clock that is set back moves the wall clock alone.
            "DONT_FAKE_MONOTONIC": "1",
        },
    )
    exporter.wait_for("fail2ban_up", 1)
    assert exporter.post("/-/activations", {"jail": "sshd"}).status == 202
    last = "fail2ban_probe_last_timestamp_seconds"
    assert abs((exporter.value(last) or 0) - time.time()) < DEADLINE

    moved = 86_400 if jump == "+1d" else -86_400
    clock.write_text(f"{jump}\n", encoding="ascii")
    wait_until(lambda: abs((exporter.value(last) or 0) - time.time() - moved) < DEADLINE, "its clock has jumped")
    before = Reading.of(exporter.pid)
    probes = exporter.value("fail2ban_probes_total", result="success") or 0
    wait_until(lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) > probes + 5, "it probes on")

    assert exporter.get("/-/healthy").status == 200
    assert exporter.value("fail2ban_up") == 1
    # Blame goes by the time that passed: the report is seconds old, and not a day.
    server.kill()
    exporter.wait_for("fail2ban_pending_recovery", 1, jail="sshd")
    server.start()
    exporter.wait_for("fail2ban_pending_recovery", 0, jail="sshd")
    samples = exporter.scrape()
    assert all(value >= 0 for (name, _), value in samples.items() if name.startswith("fail2ban_"))
    assert samples["fail2ban_server_restarts_total", ()] == 1
    assert samples["fail2ban_probe_duration_seconds_sum", ()] < DEADLINE
    # A look at a file is a thread for a moment.
    wait_until(lambda: Reading.of(exporter.pid).threads <= before.threads, "no thread is left behind")
    assert exporter.stop()[0] == 0
