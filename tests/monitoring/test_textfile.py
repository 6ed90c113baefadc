"""The metrics reach people who have node_exporter and want no other port, and never look alive when they are not."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.compat import exposed
from exporter.exposition import Exposition
from exporter.model import Result
from exporter.negotiation import Format
from exporter.own import OwnMetrics
from exporter.textfile import TextFile
from tests import programs
from tests.exporter_program import key, parse
from tests.monitoring.node_exporter import NodeExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.snapshots import FOREVER, HOSTILE_NAMES, blamed_snapshot, failure, jail, snapshot, success
from tests.textfile_program import TextfileProgram, read, write_once
from tests.waiting import wait_until

GOOD = Jail("sshd", maxretry=1)
BROKEN = Jail("broken", log_file="/nonexistent/app.log")
LIMIT = 4096
"""Bytes that a file may have on a disk that is as good as full: enough for the log, and not for the metrics."""
SNAPSHOTS = {
    "online": snapshot(success(*map(jail, HOSTILE_NAMES), FOREVER), expected=["missing"]),
    "blamed": blamed_snapshot("nginx"),
    "not allowed to ask": snapshot(failure(Result.PERMISSION_DENIED)),
    "before the first probe": snapshot(),
}


class Host:
    """A host with fail2ban and node_exporter.

    Attributes:
        server: The fail2ban.
        node: The node_exporter.
        files: The folder that the latter reads.
        output: The file that it is to read there.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.files = folder / "files"
        self.output = self.files / "fail2ban.prom"
        for each in (self.files, folder / "fail2ban"):
            each.mkdir()
        self.server = stack.enter_context(RealFail2ban(programs.fail2ban("1.1.0"), folder / "fail2ban", [GOOD]))
        self.server.start()
        self.node = stack.enter_context(NodeExporter(self.files, folder / "node_exporter.log"))
        self.flags = (f"--fail2ban.socket={self.server.socket}", f"--fail2ban.config-dir={self.server.config}")

    def run(self, *flags: str, output: Path | None = None) -> TextfileProgram:
        """Run the exporter until the end of the test."""
        path = self._folder / "textfile.log"
        return self._stack.enter_context(TextfileProgram(output or self.output, *self.flags, *flags, log=path))

    def once(self, *flags: str) -> int:
        """Run it once; the exit status."""
        return write_once(self.output, *self.flags, *flags)[0]

    def is_sound(self) -> bool:
        """Whether node_exporter could read all that is in the folder."""
        return self.node.value("node_textfile_scrape_error") == 0

    def left_over(self) -> list[str]:
        """What is in the folder beside the file."""
        return sorted({entry.name for entry in self.files.iterdir()} - {self.output.name})


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host on which all is well."""
    with ExitStack() as stack:
        yield Host(tmp_path, stack)


def test_what_is_written_is_what_node_exporter_serves(host: Host) -> None:
    host.server.fail("sshd", "203.0.113.1")
    host.server.wait_banned("sshd", "203.0.113.1")
    running = host.run("--probe.interval=1d", "--metrics.compat=f2b")
    running.wait_for("fail2ban_jail_banned_ips", 1, jail="sshd")

    written, served = read(host.output), host.node.scrape()

    assert written.items() <= served.items()
    assert host.is_sound()
    assert served[key("fail2ban_up")] == served[key("f2b_up")] == 1
    [mtime] = [value for (name, _), value in served.items() if name == "node_textfile_mtime_seconds"]
    assert abs(mtime - written[key("fail2ban_probe_last_timestamp_seconds")]) < 10
    assert host.output.stat().st_mode & 0o777 == 0o644


def test_what_node_exporter_has_of_its_own_is_not_written(host: Host) -> None:
    host.run().wait_for("fail2ban_up", 1)

    names = {name for name, _ in read(host.output)}

    assert {name for name in names if not name.startswith("fail2ban_")} == set()
    assert "fail2ban_process_resident_memory_bytes" in names
    assert host.node.value("process_start_time_seconds") is not None


@pytest.mark.parametrize("state", SNAPSHOTS)
def test_it_reads_every_state_and_every_name_that_a_jail_may_have(tmp_path: Path, state: str) -> None:
    own = OwnMetrics(of_process=False).registry
    exposition = Exposition(lambda: SNAPSHOTS[state], own, lambda: 0.0, definitions=exposed("f2b"))
    text = exposition.render(Format.TEXT_0_0_4)
    (tmp_path / "files").mkdir()
    TextFile(tmp_path / "files" / "fail2ban.prom").write(text)

    with NodeExporter(tmp_path / "files", tmp_path / "node_exporter.log") as node:
        served = node.scrape()

    assert served[key("node_textfile_scrape_error")] == 0
    assert parse(text.decode()).items() <= served.items()


def test_a_file_that_it_can_not_read_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    TextFile(tmp_path / "files" / "fail2ban.prom").write(b"fail2ban_up 1 1700000000000\n")

    with NodeExporter(tmp_path / "files", tmp_path / "node_exporter.log") as node:
        assert node.value("node_textfile_scrape_error") == 1


def test_a_crash_shows_at_once_whatever_the_interval(host: Host) -> None:
    host.run("--probe.interval=1d").wait_for("fail2ban_up", 1)

    host.server.kill()

    wait_until(lambda: host.node.value("fail2ban_state", fail2ban_state="offline") == 1, "it is offline", 5)
    wait_until(lambda: host.node.value("fail2ban_server_exits_total", kind="crash") == 1, "it crashed", 5)
    assert host.is_sound()


def test_it_is_renewed_after_each_probe(host: Host) -> None:
    running = host.run("--probe.interval=100ms")
    running.wait_for("fail2ban_up", 1)

    before = read(host.output)[key("fail2ban_probes_total", result="success")]

    wait_until(lambda: (running.value("fail2ban_probes_total", result="success") or 0) > before + 3, "more probes")


def test_when_it_is_told_to_end_nothing_is_left_that_looks_alive(host: Host) -> None:
    running = host.run()
    running.wait_for("fail2ban_up", 1)

    assert running.stop() == 0
    assert list(host.files.iterdir()) == []
    assert host.node.value("fail2ban_up") is None
    assert host.is_sound()


def test_after_a_kill_the_time_of_the_latest_probe_tells_that_it_is_dead_and_a_new_start_goes_on(host: Host) -> None:
    running = host.run()
    running.wait_for("fail2ban_up", 1)
    running.kill()

    last = host.node.value("fail2ban_probe_last_timestamp_seconds")

    assert last is not None
    wait_until(lambda: host.node.value("fail2ban_probe_last_timestamp_seconds") == last, "it stays")
    host.run().wait_for("fail2ban_up", 1)
    wait_until(lambda: (host.node.value("fail2ban_probe_last_timestamp_seconds") or 0) > last, "it goes on")


def test_sighup_takes_over_new_settings_and_tells_of_faulty_ones(host: Host, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.touch()
    running = host.run(f"--config.file={settings}", "--probe.interval=1d")
    running.wait_for("fail2ban_up", 1)
    assert running.value("f2b_up") is None

    settings.write_text('[metrics]\ncompat = "f2b"\n[jails]\nexpected = ["ftp"]\n')
    running.hang_up()
    running.wait_for("f2b_up", 1)
    running.wait_for("fail2ban_jail_up", 0, jail="ftp")

    settings.write_text('[metrics]\ncompat = "f3b"\n')
    running.hang_up()
    running.wait_for("fail2ban_exporter_config_last_reload_successful", 0)
    assert running.value("f2b_up") == 1
    assert "metrics.compat: 'f3b'" in running.events("reload_failed")[0]


def test_a_disk_that_is_full_is_told_once_and_takes_the_old_figures_away(host: Host) -> None:
    running = host.run("--probe.interval=50ms")
    running.wait_for("fail2ban_up", 1)

    assert host.output.stat().st_size > LIMIT > len(running.log())

    running.limit_files(LIMIT)
    wait_until(lambda: list(host.files.iterdir()) == [], lambda: f"the file is gone: {running.log()}")
    assert host.node.value("fail2ban_up") is None

    running.limit_files(-1)
    running.wait_for("fail2ban_up", 1)
    running.wait_event("textfile_writable_again")
    assert len(running.events("textfile_unwritable")) == 1
    wait_until(lambda: host.left_over() == [], "nothing is left over but what is being written")


def test_a_folder_that_is_missing_is_told_once_and_taken_up_when_it_is_there(host: Host) -> None:
    later = host.files / "later"
    running = host.run("--probe.interval=50ms", output=later / "fail2ban.prom")
    running.wait_event("textfile_unwritable")
    assert str(later) in running.events("textfile_unwritable")[0]

    later.mkdir()
    running.wait_for("fail2ban_up", 1)
    assert len(running.events("textfile_unwritable")) == 1


# -- for a timer


def test_once_its_status_is_the_outcome_and_the_file_says_the_same(host: Host) -> None:
    assert host.once() == 0
    assert host.node.value("fail2ban_up") == 1

    host.server.stop()

    assert host.once() == 1
    assert host.node.value("fail2ban_state", fail2ban_state="offline") == 1
    assert host.left_over() == []


def test_once_a_file_that_can_not_be_written_is_another_status_and_a_fault_of_usage_a_third(
    host: Host, tmp_path: Path
) -> None:
    missing = tmp_path / "missing" / "fail2ban.prom"

    status, log = write_once(missing, *host.flags)
    assert (status, "event=textfile_unwritable" in log, str(missing) in log) == (3, True, True)

    status, log = write_once(tmp_path, *host.flags)
    assert (status, "not a regular file" in log) == (3, True)

    assert host.once("--probe.interval=often") == 2
    assert not host.output.exists()


def test_runs_of_a_timer_blame_the_jail_that_brought_fail2ban_down_and_count_the_crash(
    host: Host, tmp_path: Path
) -> None:
    flags = (f"--recovery.state-file={tmp_path / 'state.json'}", "--recovery.grace=0s", "--recovery.window=1h")
    assert host.once(*flags) == 0

    host.server.configure([GOOD, BROKEN])
    assert host.once(*flags) == 0
    host.server.stop()
    host.server.start(wait=False)
    assert host.server.wait_exit() != 0
    assert host.once(*flags) == 1
    assert host.once(*flags) == 1
    assert host.node.value("fail2ban_pending_recovery", jail="broken") == 1

    host.server.configure([GOOD])
    host.server.start()
    assert host.once(*flags) == 0
    assert host.node.value("fail2ban_pending_recovery", jail="broken") == 0
    assert host.node.value("fail2ban_activation_failures_total", jail="broken") == 1

    host.server.kill()
    assert host.once(*flags) == 1
    exits = host.node.scrape()
    assert exits[key("fail2ban_server_exits_total", kind="crash")] == 1
