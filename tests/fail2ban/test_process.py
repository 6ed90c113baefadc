"""Which process answers and how it ended: known, or said to be unknown, never guessed."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.fail2ban import process
from exporter.fail2ban.process import ServerProcess, classify
from exporter.model import ExitKind
from tests.fail2ban.server_child import ServerChild
from tests.fakes import FakeServer, Honest, short_folder
from tests.waiting import wait_until

KERNEL = process._kernel()  # noqa: SLF001
TELLS = pytest.mark.skipif(KERNEL < (6, 15), reason=f"Linux {KERNEL} tells no exit status through a pidfd")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(Honest()) as fake:
        yield fake


@pytest.fixture
def path() -> Iterator[Path]:
    folder = short_folder()
    yield folder / "sock"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.fixture
def child(path: Path) -> Iterator[ServerChild]:
    with ServerChild(path) as server:
        yield server


def seen(path: Path) -> ServerProcess:
    """The process at the other end; the connection itself is not needed any longer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        return ServerProcess.of_peer(connection)


def most_descriptors(server: FakeServer) -> int | None:
    """How many descriptors the server's process may have."""
    with closing(seen(server.path)) as process_seen:
        usage = process_seen.usage()
        assert usage is not None
        return usage.max_fds


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, ExitKind.CLEAN),
        (signal.SIGTERM, ExitKind.CLEAN),
        (signal.SIGINT, ExitKind.CLEAN),
        (signal.SIGHUP, ExitKind.CLEAN),
        (signal.SIGKILL, ExitKind.CRASH),
        (signal.SIGSEGV, ExitKind.CRASH),
        (signal.SIGSEGV | 0x80, ExitKind.CRASH),  # with a core dump
        (signal.SIGABRT, ExitKind.CRASH),
        (1 << 8, ExitKind.CRASH),
        (3 << 8, ExitKind.CRASH),
        (255 << 8, ExitKind.CLEAN),  # stopped, or refused, while it was starting
    ],
)
def test_a_wait_status_is_clean_or_a_crash(status: int, expected: ExitKind) -> None:
    assert expected is classify(status)


def test_the_process_behind_the_socket_is_the_one_that_listens(server: FakeServer) -> None:
    with closing(seen(server.path)) as process_seen:
        assert process_seen.pid == os.getpid()
        assert process_seen.has_ended() is False
        assert process_seen.exit_kind() is None
        assert process_seen.start_time is not None
        assert 0 <= time.time() - process_seen.start_time < 24 * 3600


def test_what_the_process_uses_is_told(server: FakeServer) -> None:
    with closing(seen(server.path)) as process_seen:
        usage = process_seen.usage()

    assert usage is not None
    assert usage.cpu_seconds > 0
    assert 1e6 < usage.resident_bytes < usage.virtual_bytes
    assert usage.open_fds is not None
    assert usage.max_fds is None or usage.open_fds < usage.max_fds


def test_how_many_descriptors_it_may_have_is_told_without_the_right_to_ask_the_kernel(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = most_descriptors(server)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("exporter.fail2ban.process.resource.prlimit", refuse)

    assert asked is not None
    assert asked == most_descriptors(server)


def test_a_process_is_found_again_by_its_identity(server: FakeServer, child: ServerChild, path: Path) -> None:
    del server
    with closing(seen(path)) as process_seen:
        identity = process_seen.identity
    assert identity is not None

    with closing(ServerProcess.of_identity(identity)) as again:
        assert again.identity == identity
        assert again.has_ended() is False
        child.kill()
        assert again.has_ended() is True


def test_a_process_that_has_the_number_of_an_earlier_one_is_not_taken_for_it() -> None:
    with closing(ServerProcess.of_identity(f"pid:{os.getpid()}:1")) as process_seen:
        assert process_seen.has_ended() is True
        assert process_seen.fileno() is None
        assert process_seen.usage() is None


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "pid:",
        "pid:1",
        "pid:x:1",
        "pid:-1:1",
        "socket:1:2:3",
        "pidfs:7",
        "?",
        f"pid:{'1' * 5000}:1",
        f"pid:1:{'1' * 5000}",
    ],
    ids=lambda identity: identity[:20],
)
def test_an_identity_that_names_no_number_is_of_a_process_that_is_not_seen(identity: str) -> None:
    with closing(ServerProcess.of_identity(identity)) as process_seen:
        assert process_seen.has_ended() is None
        assert process_seen.fileno() is None


@pytest.mark.parametrize("identity", ["pid:0:1", "pid:4194305:1", f"pid:{2**31}:1", f"pid:{2**64}:1", f"pid:1:{2**64}"])
def test_a_number_that_no_process_has_is_of_one_that_has_ended(identity: str) -> None:
    with closing(ServerProcess.of_identity(identity)) as process_seen:
        assert process_seen.has_ended() is True
        assert process_seen.fileno() is None
        assert process_seen.exit_kind() is None


def test_a_process_that_ended_before_it_was_looked_for_again_has_ended(child: ServerChild, path: Path) -> None:
    with closing(seen(path)) as process_seen:
        identity = process_seen.identity
    assert identity is not None
    child.kill()

    with closing(ServerProcess.of_identity(identity)) as again:
        assert again.has_ended() is True
        assert again.fileno() is None


def test_two_connections_to_one_process_have_one_identity_and_another_process_another(
    server: FakeServer, child: ServerChild, path: Path
) -> None:
    del child
    with closing(seen(path)) as first, closing(seen(path)) as second, closing(seen(server.path)) as other:
        assert first.identity is not None
        assert first.identity == second.identity
        assert first.identity != other.identity


def test_an_identity_does_not_change_while_the_process_ends(child: ServerChild, path: Path) -> None:
    with closing(seen(path)) as process_seen:
        before = process_seen.identity
        child.kill(reap=False)

        assert before == process_seen.identity
        assert process_seen.usage() is None


@TELLS
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (ServerChild.kill, ExitKind.CRASH),
        (ServerChild.fail, ExitKind.CRASH),
        (ServerChild.stop, ExitKind.CLEAN),
        (ServerChild.terminate, ExitKind.CLEAN),
    ],
)
def test_the_kernel_tells_how_it_ended_once_the_parent_has_asked(
    child: ServerChild, path: Path, end: Callable[..., None], expected: ExitKind
) -> None:
    with closing(seen(path)) as process_seen:
        end(child, reap=False)
        assert process_seen.has_ended() is True
        assert process_seen.tells_exit_status
        assert process_seen.exit_kind() is None

        child.reap()

        assert expected is process_seen.exit_kind()
        assert process_seen.usage() is None


def test_the_descriptor_wakes_a_poll_when_the_process_ends(child: ServerChild, path: Path) -> None:
    with closing(seen(path)) as process_seen:
        assert process_seen.fileno() is not None
        child.kill()
        assert process_seen.has_ended() is True


def test_without_a_descriptor_the_end_is_still_seen(
    child: ServerChild, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_peer_pidfd", lambda *_: None)

    with closing(seen(path)) as process_seen:
        assert process_seen.fileno() is None
        assert process_seen.has_ended() is False
        child.kill(reap=False)
        assert process_seen.has_ended() is True
        assert process_seen.exit_kind() is None
        assert not process_seen.tells_exit_status


def test_another_process_under_the_same_number_is_another(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_peer_pidfd", lambda *_: None)

    with closing(seen(server.path)) as process_seen:
        fields = ["S", *["1"] * 30]
        monkeypatch.setattr(process, "_stat", lambda _: fields)

        assert process_seen.has_ended() is True


def test_what_can_not_be_seen_is_not_known(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_peer_pid", lambda _: None)
    monkeypatch.setattr(process, "_peer_pidfd", lambda *_: None)

    with closing(seen(server.path)) as process_seen:
        assert process_seen.identity is None
        assert process_seen.start_time is None
        assert process_seen.has_ended() is None
        assert process_seen.exit_kind() is None
        assert process_seen.usage() is None


def test_systemd_behind_an_activated_socket_is_not_taken_for_fail2ban(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_command_name", lambda _: "systemd")

    with closing(seen(server.path)) as process_seen:
        assert process_seen.pid is None
        assert process_seen.fileno() is None
        assert process_seen.identity is None
        assert process_seen.start_time is None
        assert process_seen.usage() is None


@pytest.mark.skipif(KERNEL < (6, 9), reason=f"Linux {KERNEL} gives all descriptors of processes one inode")
def test_a_process_of_another_namespace_has_an_identity_where_the_kernel_gives_one(
    server: FakeServer, child: ServerChild, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del child
    monkeypatch.setattr(process, "_peer_pid", lambda _: None)
    monkeypatch.setattr(process, "_kernel", lambda: (6, 8))
    with closing(seen(path)) as process_seen:
        assert process_seen.identity is None  # all descriptors of processes have one inode there

    monkeypatch.setattr(process, "_kernel", lambda: (6, 9))
    with closing(seen(path)) as first, closing(seen(path)) as second, closing(seen(server.path)) as other:
        assert first.identity is not None
        assert first.identity == second.identity
        assert first.identity != other.identity


def test_no_descriptor_is_left_open(server: FakeServer) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = descriptors()
    for _ in range(10):
        process_seen = seen(server.path)
        process_seen.close()
        process_seen.close()

    wait_until(lambda: descriptors() == before, "the server's ends are closed too")


@pytest.mark.parametrize(
    ("uid", "trusted"), [(0, True), (os.geteuid(), True), (os.geteuid() + 4321, False), (None, False)]
)
def test_a_path_is_taken_only_from_root_or_from_oneself(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, uid: int | None, *, trusted: bool
) -> None:
    monkeypatch.setattr(process, "_peer_uid", lambda _: uid)

    with closing(seen(server.path)) as process_seen:
        assert trusted is process_seen.is_trusted
