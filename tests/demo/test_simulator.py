"""The simulated server is what stands in for fail2ban 1.1.1: what it says wrong, the demo and the tests believe."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.demo.files import DemoFiles
from exporter.demo.simulator import VERSION, SimulatedFail2ban
from exporter.demo.wire import WireServer
from exporter.demo.world import PLANS, World
from exporter.fail2ban import BanLists, Client, dated_until, pickles, zone_shift
from exporter.fail2ban.connection import END
from exporter.fail2ban.pickles import RemoteError, Value
from exporter.model import ExitKind, Probe, Result
from tests.data.capture import COMMANDS, REPLIES
from tests.waiting import DEADLINE, wait_until

ASKED_BY_THE_CLIENT = (
    "ping",
    "version",
    "status",
    "stats",
    "status-short",
    "status-jail",
    "bantime",
    "findtime",
    "maxretry",
    "logpath",
    "actions",
    "banip-with-time",
    "dbfile",
    "unknown-jail",
    "unknown-jail-short",
    "unknown-command",
)


def loaded(reply: bytes) -> Value:
    return pickles.loads(reply, lambda: None)


def shape(value: Value) -> object:
    """The types of a reply, with names and texts where they are the format's own and not this host's."""
    match value:
        case RemoteError():
            return (value.name, value.text)
        case dict():
            return {str(shape(jail)) for jail in value.values()}
        case tuple() if len(value) == 2 and isinstance(value[0], str):
            return (value[0], shape(value[1]))
        case list() if all(isinstance(item, str) for item in value):
            return "a list of texts"
        case tuple() | list():
            return (type(value), *(shape(item) for item in value))
        case _:
            return type(value)


def simulated(files: DemoFiles | None = None) -> SimulatedFail2ban:
    world = World(1)
    world.advance(3600)
    return SimulatedFail2ban(world, lambda: 3600.0, files)


@contextmanager
def served(path: Path, fail2ban: SimulatedFail2ban) -> Iterator[WireServer]:
    """The simulated server on a socket, in this process."""
    server = WireServer(path, fail2ban.answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(DEADLINE)
        server.remove()


def probe(path: Path) -> Probe:
    with closing(Client(str(path))) as client:
        return client.probe(DEADLINE)


@pytest.mark.parametrize("name", ASKED_BY_THE_CLIENT)
def test_it_answers_in_the_shape_of_the_real_one(name: str, tmp_path: Path) -> None:
    # A file-backed jail stands for the one that was asked when the replies were captured.
    command = [word.replace("sshd", "postfix") for word in COMMANDS[name]]

    ours = loaded(simulated(DemoFiles(tmp_path)).answer(command))
    real = loaded((REPLIES / VERSION / f"{name}.pickle").read_bytes())

    assert shape(real) == shape(ours)


@pytest.mark.parametrize("name", ["ping", "version", "unknown-command", "unknown-jail", "unknown-jail-short"])
def test_where_the_answer_is_the_same_so_is_every_value(name: str) -> None:
    assert loaded((REPLIES / VERSION / f"{name}.pickle").read_bytes()) == loaded(simulated().answer(COMMANDS[name]))


def test_all_bans_are_told_jail_by_jail_as_the_real_one_does() -> None:
    real = loaded((REPLIES / VERSION / "banned.pickle").read_bytes())
    ours = loaded(simulated().answer(COMMANDS["banned"]))

    # There are more jails here than where the replies were captured.
    assert isinstance(real, tuple)
    assert isinstance(ours, tuple)
    assert {str(shape(jail)) for jail in real[1]} == {str(shape(jail)) for jail in ours[1]}  # type: ignore[union-attr]


def test_a_jail_that_reads_the_journal_names_no_log_files() -> None:
    """No reply of such a jail was captured: fail2ban's own code says so."""
    for flavor in ([], ["short"]):
        match loaded(simulated().answer(["status", "sshd", *flavor])):
            case (0, [("Filter", [_, _, watched]), _]):
                assert watched == ("Journal matches", "_SYSTEMD_UNIT=sshd.service")
            case reply:
                pytest.fail(f"of another shape: {reply}")


def test_without_a_database_it_says_none_as_the_real_one_does() -> None:
    real = (REPLIES / VERSION / "dbfile-none.pickle").read_bytes()

    assert loaded(real) == loaded(simulated().answer(["get", "dbfile"]))


def test_a_banned_address_is_pickled_as_the_real_one_pickles_it() -> None:
    """Not as text but as a call of `str`, which the client's interpreter must take."""
    real = (REPLIES / VERSION / "status-jail.pickle").read_bytes()
    ours = simulated().answer(["status", "sshd"])

    assert b"builtins" in real
    assert b"builtins" in ours


def test_the_real_client_reads_the_whole_life_of_the_host(tmp_path: Path) -> None:
    files = DemoFiles(tmp_path)
    with served(tmp_path / "s", simulated(files)):
        found = probe(tmp_path / "s")

    world = World(1)
    world.advance(3600)
    assert found.result is Result.SUCCESS
    assert found.server is not None
    assert found.server.version == VERSION
    assert found.database == str(files.database)
    assert [jail.name for jail in found.jails] == sorted(plan.name for plan in PLANS)
    for jail in found.jails:
        original = world.jails[jail.name]
        assert (jail.failed, jail.failures) == (len(original.failing), original.failures)
        assert (jail.banned, jail.bans) == (len(original.banned), original.bans)
        assert jail.backend == original.plan.backend
        assert jail.log_files == (
            None if jail.backend == "systemd" else tuple(str(files.log_file(path)) for path in original.plan.log_files)
        )
        assert jail.settings is not None
        assert jail.settings.ban_time == (float("inf") if original.plan.ban_time < 0 else original.plan.ban_time)
        assert (jail.settings.find_time, jail.settings.max_retries) == (
            original.plan.find_time,
            original.plan.max_retries,
        )
        assert jail.settings.actions == 1


def test_its_bans_are_listed_with_the_times_at_which_they_were_made(tmp_path: Path) -> None:
    wall = 1_700_000_000.0
    world = World(1)
    world.advance(3600)
    fail2ban = SimulatedFail2ban(world, lambda: 3600.0, wall=lambda: wall)
    with served(tmp_path / "s", fail2ban), BanLists(str(tmp_path / "s"), DEADLINE) as lists:
        looks = lists.look(world.jails)

    for name, jail in world.jails.items():
        bans = looks[name].bans
        assert bans is not None
        assert len(bans) == len(jail.banned)
        assert zone_shift(bans, wall) == 0
        for age in (0, 100, 500, 3000):
            made = [start for start in jail.banned_at.values() if int(start) <= 3600 - age]
            assert len(dated_until(bans, wall - age, wall)) == len(made)


def test_it_serves_several_clients_at_once_and_each_gets_its_own_answers(tmp_path: Path) -> None:
    with (
        served(tmp_path / "s", simulated()),
        closing(Client(str(tmp_path / "s"))) as one,
        closing(Client(str(tmp_path / "s"))) as two,
    ):
        answers = [client.probe(DEADLINE) for client in (one, two, one, two)]

    assert {answer.result for answer in answers} == {Result.SUCCESS}
    assert len({answer.jails for answer in answers}) == 1


@contextmanager
def life(path: Path, number: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """One life of the simulated server in a process of its own, which listens; killed with the block."""
    command = [sys.executable, "-m", "exporter.demo.simulator", str(path), "1", str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            wait_until(lambda: probe(path).result is Result.SUCCESS, "it answers")
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "kind", "leaves_socket"),
    [
        (signal.SIGTERM, ExitKind.CLEAN, False),
        (signal.SIGINT, ExitKind.CLEAN, False),
        (signal.SIGKILL, ExitKind.CRASH, True),
    ],
)
def test_a_clean_stop_removes_the_socket_and_a_crash_leaves_it_as_with_the_real_one(
    tmp_path: Path, number: signal.Signals, kind: ExitKind, *, leaves_socket: bool
) -> None:
    path = tmp_path / "s"
    with life(path) as process, closing(Client(str(path))) as client:
        assert client.probe(DEADLINE).result is Result.SUCCESS

        process.send_signal(number)
        process.wait(DEADLINE)
        ends: list[ExitKind] = []

        def is_clear() -> bool:
            ends.extend(server_exit.kind for server_exit in client.exits())
            return bool(ends)

        wait_until(is_clear, "how it ended is clear")

    assert ends == [kind]
    assert path.exists() is leaves_socket
    assert process.returncode == (0 if kind is ExitKind.CLEAN else -number)


def test_it_ends_cleanly_and_quietly_when_its_parent_lets_go_and_takes_away_only_what_is_its_own(
    tmp_path: Path,
) -> None:
    other = tmp_path / "somebody else's"
    other.touch()
    with life(tmp_path / "s") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()

        assert process.wait(DEADLINE) == 0
        assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == [other]


def test_a_life_that_is_over_ends_cleanly_and_quietly_and_a_crash_takes_the_socket_of_the_one_before(
    tmp_path: Path,
) -> None:
    """In a process of its own whose ends come at once, since a real one comes after minutes."""
    path = tmp_path / "s"
    program = (
        "import sys; from pathlib import Path; from exporter.demo import simulator; "
        "from exporter.demo.world import End; "
        "simulator.plan_end = lambda seed, life: End(after=0.05, crashes=life == 1, pause=0); "
        "simulator.run(Path(sys.argv[1]), 1, int(sys.argv[2]))"
    )
    held, parent = os.pipe()
    try:
        ends = [
            subprocess.run(
                [sys.executable, "-c", program, str(path), number],
                stdin=held,
                capture_output=True,
                timeout=DEADLINE,
                check=False,
            )
            for number in ("0", "1", "0", "1")
        ]
    finally:
        os.close(held)
        os.close(parent)

    assert [end.returncode for end in ends] == [0, -signal.SIGKILL, 0, -signal.SIGKILL]
    assert {end.stderr for end in ends} == {b""}
    assert path.exists()


def test_nothing_that_is_no_request_brings_it_down(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with served(path, simulated()):
        for rubbish in (b"", b"x", END, b"garbage" + END, b"\x80\x05]\x94." + END, b"x" * 200_000):
            with socket.socket(socket.AF_UNIX) as connection, suppress(ConnectionError):
                connection.connect(str(path))
                connection.sendall(rubbish)
        assert probe(path).result is Result.SUCCESS
