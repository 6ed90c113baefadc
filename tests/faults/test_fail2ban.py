"""What happens to fail2ban, and to what lies around it, is told for what it is."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.exporter_program import ExporterProgram
from tests.faults.mounts import small_disk
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail, RealFail2ban
from tests.soak.invariants import Scrape, faults_of
from tests.waiting import wait_until

BANS = 20_000
KINDS = ("clean", "crash", "unknown")


def exits(exporter: ExporterProgram) -> dict[str, float | None]:
    return {kind: exporter.value("fail2ban_server_exits_total", kind=kind) for kind in KINDS}


@contextmanager
def scraped_meanwhile(exporter: ExporterProgram) -> Iterator[set[str]]:
    """The states that scrapes show during the block; each scrape must be one that can be."""
    states: set[str] = set()
    wrong: list[str] = []
    is_over = threading.Event()

    def scrape() -> None:
        while not is_over.wait(0.02):
            try:
                seen = Scrape.read(exporter.get("/metrics").body)
                wrong.extend(faults_of(seen))
                states.update(seen.states())
            except (OSError, ValueError) as error:
                wrong.append(repr(error))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield states
    finally:
        is_over.set()
        thread.join()
    assert wrong == []


def test_a_reload_with_20000_bans_is_no_outage(make_fail2ban: MakeFail2ban, run_exporter: RunExporter) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", bantime="1d"), Jail("web")], database=False)
    server.start()
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(BANS)]
    for start in range(0, BANS, 1000):
        assert server.ask(["set", "sshd", "banip", *addresses[start : start + 1000]], 60)[0] == 0
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.interval=50ms", "--probe.timeout=2s")
    exporter.wait_for("fail2ban_jail_banned_ips", BANS, jail="sshd")
    probes = exporter.value("fail2ban_probes_total", result="success") or 0

    with scraped_meanwhile(exporter) as states:
        server.client("reload")

    wait_until(
        lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) > probes + 3, "it probes afterwards"
    )
    exporter.wait_state("online")
    print(f"states during the reload: {sorted(states)}")
    assert states <= {"online", "unresponsive"}
    assert exporter.value("fail2ban_jail_banned_ips", jail="sshd") == BANS
    assert exits(exporter) == dict.fromkeys(KINDS, 0)
    assert exporter.value("fail2ban_server_restarts_total") == 0
    assert exporter.value("fail2ban_pending_recoveries") == 0
    assert server.complaints() == []


def test_folders_of_logs_and_socket_that_are_replaced_are_followed(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter
) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1)])
    server.start()
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.interval=100ms")
    exporter.wait_for("fail2ban_up", 1)

    # A clean-up job puts other folders in the place of those that are in use: the server goes on in the old ones.
    for folder in (server.socket.parent, server.log_path("sshd").parent):
        aside = folder.rename(folder.with_name(f"{folder.name}.old"))
        folder.mkdir(mode=0o700)
        for file in aside.glob("*.log"):
            shutil.copy(file, folder)
    probes = exporter.value("fail2ban_probes_total", result="success") or 0
    wait_until(lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) > probes + 3, "it is probed on")
    assert exporter.value("fail2ban_up") == 1
    assert exporter.value("fail2ban_jail_log_files", jail="sshd") == 1

    server.stop()
    exporter.wait_state("offline")
    server.start()
    exporter.wait_state("online")
    server.fail("sshd", "192.0.2.1")
    exporter.wait_for("fail2ban_jail_banned_ips", 1, jail="sshd")

    assert exits(exporter) == {"clean": 1, "crash": 0, "unknown": 0}
    assert exporter.value("fail2ban_server_restarts_total") == 1
    shutil.rmtree(server.socket.parent.with_name(f"{server.socket.parent.name}.old"))


def test_a_folder_that_is_mounted_late_is_found(make_fail2ban: MakeFail2ban, run_exporter: RunExporter) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd")])
    shutil.rmtree(server.socket.parent)
    exporter = run_exporter(f"--fail2ban.socket={server.socket}", "--probe.interval=100ms")
    wait_until(lambda: (exporter.value("fail2ban_probes_total", result="socket_missing") or 0) >= 3, "it probes")
    assert exporter.status()["state"] == "offline"

    server.socket.parent.mkdir(mode=0o700)
    # Where nothing may be mounted, a folder that appears under the path is the same to whoever looks it up.
    with small_disk(server.socket.parent, 64) as is_mounted:
        print("mounted" if is_mounted else "nothing may be mounted here: the folder was made late")
        server.start()
        exporter.wait_state("online")
        server.stop()
        exporter.wait_state("offline")
    exporter.wait_for("fail2ban_server_exits_total", 1, kind="clean")
    server.start()
    exporter.wait_state("online")

    assert exits(exporter) == {"clean": 1, "crash": 0, "unknown": 0}


def figures(exporter: ExporterProgram) -> dict[object, float]:
    """What the exporter says of fail2ban, less what it counts itself and what goes on all the time."""
    own = ("fail2ban_probe", "fail2ban_exporter", "fail2ban_process", "process_", "python_")
    return {key: value for key, value in exporter.scrape().items() if not key[0].startswith(own)}


def test_two_exporters_on_one_fail2ban_say_the_same(make_fail2ban: MakeFail2ban, run_exporter: RunExporter) -> None:
    server = make_fail2ban("1.1.1", [Jail("sshd", maxretry=1), Jail("web")], database=False)
    server.start()
    flags = (f"--fail2ban.socket={server.socket}", "--probe.interval=50ms")
    both = [run_exporter(*flags), run_exporter(*flags)]

    def say_the_same() -> None:
        for exporter in both:
            exporter.wait_state("online")
        wait_until(lambda: figures(both[0]) == figures(both[1]), "both say the same")

    server.fail("sshd", "192.0.2.1")
    for exporter in both:
        exporter.wait_for("fail2ban_jail_banned_ips", 1, jail="sshd")
    say_the_same()

    kill_and_start(server)
    for exporter in both:
        exporter.wait_for("fail2ban_server_exits_total", 1, kind="crash")
        exporter.wait_for("fail2ban_server_restarts_total", 1)
    say_the_same()

    assert both[0].stop()[0] == 0
    both[1].wait_state("online")
    assert exits(both[1]) == {"clean": 0, "crash": 1, "unknown": 0}
    assert server.complaints() == []


def kill_and_start(server: RealFail2ban) -> None:
    server.kill()
    server.start()


def test_the_socket_folder_of_a_test_is_its_own(tmp_path: Path) -> None:
    """So that what is mounted or moved here is nobody else's."""
    with small_disk(tmp_path, 64) as is_mounted:
        assert tmp_path.is_mount() == is_mounted
    assert not tmp_path.is_mount()
