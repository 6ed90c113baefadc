"""Each end of a server is counted once, as clean or as a crash only where that is shown."""

import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.fail2ban import Client, process
from exporter.fail2ban.departures import SETTLE_SECONDS
from exporter.model import ExitKind, Result, ServerTraces
from tests.fail2ban.child import Child
from tests.fail2ban.server_child import ServerChild
from tests.fakes import FakeServer, short_folder

CLEAN, CRASH, UNKNOWN = ExitKind.CLEAN, ExitKind.CRASH, ExitKind.UNKNOWN

# How much a kernel, and the namespace that the exporter runs in, show of the server's process.
SIGHTS: dict[str, dict[str, Callable[..., object]]] = {
    "exit status": {},
    "no exit status": {"_kernel": lambda: (6, 14)},
    "another namespace": {"_kernel": lambda: (6, 14), "_peer_pid": lambda _: None},
    "old kernel": {"_kernel": lambda: (6, 1)},
    "no descriptor": {"_peer_pidfd": lambda *_: None},
    "nothing": {"_peer_pid": lambda _: None, "_peer_pidfd": lambda *_: None},
}


@pytest.fixture(params=SIGHTS)
def sight(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is seen of the server's process."""
    name: str = request.param
    if name == "exit status" and process._kernel() < (6, 15):  # noqa: SLF001
        pytest.skip("this kernel tells no exit status through a pidfd")
    for attribute, instead in SIGHTS[name].items():
        monkeypatch.setattr(process, attribute, instead)
    return name


@pytest.fixture
def path() -> Iterator[Path]:
    """A socket in a folder of its own that may go, as systemd's does."""
    parent = short_folder()
    (parent / "fail2ban").mkdir()
    yield parent / "fail2ban" / "sock"
    shutil.rmtree(parent)


class Watch:
    """A client, and a clock that is put forward instead of waited for."""

    def __init__(self, path: Path, earlier: ServerTraces | None = None) -> None:
        self._ahead = 0.0
        self.client = Client(str(path), earlier, self._clock)

    def _clock(self) -> float:
        return time.monotonic() + self._ahead

    def close(self) -> None:
        """Let go of everything."""
        self.client.close()

    def pass_time(self, seconds: float = SETTLE_SECONDS * 1.5) -> None:
        """Let it be later."""
        self._ahead += seconds

    def online(self) -> None:
        """Probe, which must succeed."""
        probe = self.client.probe(30.0)
        assert probe.result is Result.SUCCESS, probe

    def exits(self, timeout: float = 0.1) -> list[ExitKind]:
        """All ends that come out over some probes and some time."""
        kinds = []
        for _ in range(3):
            self.client.probe(timeout)
            kinds += self.settled()
            self.pass_time()
            kinds += self.settled()
        return kinds

    def settled(self) -> list[ExitKind]:
        """All ends that are clear now."""
        return [server_exit.kind for server_exit in self.client.exits()]


@pytest.fixture
def watch(path: Path) -> Iterator[Watch]:
    with closing(Watch(path)) as watching:
        yield watching


@pytest.mark.usefixtures("sight")
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param(ServerChild.kill, CRASH, id="kill -9"),
        pytest.param(ServerChild.fail, CRASH, id="exit status 3"),
        pytest.param(ServerChild.stop, CLEAN, id="stop"),
        pytest.param(ServerChild.terminate, CLEAN, id="SIGTERM"),
    ],
)
def test_an_end_is_told_for_what_it_was(path: Path, watch: Watch, end: Callable[..., None], expected: ExitKind) -> None:
    with ServerChild(path) as server:
        watch.online()
        end(server)

        assert watch.exits() == [expected]


def verdict(sight: str, true: ExitKind) -> ExitKind:
    """What is to be said where only the exit status can tell."""
    return true if sight == "exit status" else UNKNOWN


ENDS = [
    pytest.param(ServerChild.kill, CRASH, id="kill -9"),
    pytest.param(ServerChild.stop, CLEAN, id="stop"),
]


@pytest.mark.parametrize(("end", "true"), ENDS)
def test_a_folder_removed_by_systemd_before_the_look_is_never_a_wrong_verdict(
    sight: str, path: Path, watch: Watch, end: Callable[..., None], true: ExitKind
) -> None:
    with ServerChild(path) as server:
        watch.online()
        end(server)
        shutil.rmtree(path.parent)

        assert watch.exits() == [verdict(sight, true)]


@pytest.mark.parametrize(("end", "true"), ENDS)
def test_a_folder_made_anew_for_the_next_server_is_never_a_wrong_verdict(
    sight: str, path: Path, watch: Watch, end: Callable[..., None], true: ExitKind
) -> None:
    with ServerChild(path) as server:
        watch.online()
        end(server)
        path.parent.rename(path.parent.with_name("gone"))  # keeps its inode, which a new one could else have
        path.parent.mkdir()
        with ServerChild(path):
            watch.online()

            assert watch.exits() == [verdict(sight, true)]


@pytest.mark.parametrize(("end", "true"), ENDS)
def test_systemd_between_the_socket_and_the_folder_is_never_a_wrong_verdict(
    sight: str, path: Path, watch: Watch, end: Callable[..., None], true: ExitKind
) -> None:
    with ServerChild(path) as server:
        watch.online()
        end(server, reap=False)
        path.unlink(missing_ok=True)
        watch.client.probe(1.0)
        first = watch.settled()
        shutil.rmtree(path.parent)
        server.reap()

        assert first + watch.exits() == [verdict(sight, true)]


@pytest.mark.usefixtures("sight")
def test_a_crash_that_was_seen_stays_one_when_systemd_removes_the_folder_afterwards(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.kill(reap=False)
        watch.client.probe(1.0)
        first = watch.settled()
        shutil.rmtree(path.parent)
        server.reap()

        assert first + watch.exits() == [CRASH]


def test_a_server_that_is_back_before_the_look_is_counted_all_the_same(sight: str, path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.kill()
        with ServerChild(path):
            watch.online()

            assert watch.exits() == [verdict(sight, CRASH)]


@pytest.mark.usefixtures("sight")
def test_a_server_that_only_drops_the_connection_has_not_ended(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        for _ in range(3):
            server.drop()
            assert watch.exits() == []
        server.kill()

        assert watch.exits() == [CRASH]


@pytest.mark.usefixtures("sight")
def test_a_server_that_drops_the_connection_and_hangs_has_not_ended(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.hang()
        assert watch.exits() == []
        assert watch.exits() == []
        server.kill()

        assert watch.exits() == [CRASH]


@pytest.mark.usefixtures("sight")
def test_a_frozen_server_that_is_killed_is_counted_once(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.freeze()
        assert watch.exits() == []
        server.kill()

        assert watch.exits() == [CRASH]


def test_a_server_that_hung_before_the_first_probe_and_is_killed_is_counted_where_it_is_seen(
    sight: str, path: Path, watch: Watch
) -> None:
    with ServerChild(path) as server:
        server.freeze()
        assert watch.exits() == []
        server.kill()

        assert watch.exits() == ([] if sight == "nothing" else [CRASH])


def test_what_never_answered_and_can_not_be_seen_was_no_server(
    path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends closes its listening socket last: a connection made then reaches nobody."""
    for attribute, instead in SIGHTS["nothing"].items():
        monkeypatch.setattr(process, attribute, instead)
    with FakeServer(lambda _conversation: None, path):
        assert watch.client.probe(5.0).result is Result.PROTOCOL_ERROR
    path.unlink()

    assert watch.exits() == []


@pytest.mark.usefixtures("sight")
def test_a_server_that_hangs_for_long_and_is_stopped_has_not_crashed(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.hang()
        assert watch.exits() == []
        server.stop()

        assert watch.exits() == [CLEAN]


@pytest.mark.usefixtures("sight")
def test_each_of_many_restarts_is_counted_once(path: Path, watch: Watch) -> None:
    kinds = []
    for end in (ServerChild.kill, ServerChild.stop, ServerChild.kill):
        with ServerChild(path) as server:
            watch.online()
            end(server)
            kinds += watch.exits()

    assert kinds == [CRASH, CLEAN, CRASH]


@pytest.mark.skipif(process._kernel() < (6, 15), reason="this kernel tells no exit status through a pidfd")  # noqa: SLF001
def test_a_status_that_the_parent_asks_for_late_is_waited_for(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.stop(reap=False)
        watch.client.probe(1.0)
        assert watch.client.exits() == []
        assert watch.client.settles_in() is not None
        server.reap()

        assert watch.settled() == [CLEAN]
        assert watch.client.settles_in() is None


NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def test_an_exporter_in_a_container_tells_ends_too(path: Path) -> None:
    """A container has its own PID namespace: the server has no number there."""
    if shutil.which(NAMESPACE[0]) is None or subprocess.run([*NAMESPACE, "true"], check=False).returncode:
        pytest.skip("no namespaces can be made here, which takes root")
    kinds = []
    for end in (ServerChild.kill, ServerChild.stop):
        with ServerChild(path) as server, Child(path, NAMESPACE) as child:
            assert child.probe(30.0).result == Result.SUCCESS
            end(server)
            kinds.append(child.exit_kind())

    assert kinds == [CRASH, CLEAN]


def test_a_status_that_the_parent_never_asks_for_is_not_waited_for_for_ever(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.kill(reap=False)

        assert watch.exits() == [CRASH]


def test_the_end_of_a_server_wakes_who_watches(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        poller = select.poll()
        for descriptor, events in watch.client.watched():
            poller.register(descriptor, events)
        assert poller.poll(0) == []
        server.kill()

        assert poller.poll(10_000) != []


def test_while_a_server_hangs_it_is_not_looked_at_again_and_again(sight: str, path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        server.hang()
        watch.exits()

        assert (watch.client.settles_in() is None) == (sight != "no descriptor")


# -- over a restart of the exporter


def left_for_another_run(watch: Watch) -> ServerTraces:
    """What an exporter that ends leaves to the next."""
    watch.online()
    traces = watch.client.traces()
    watch.client.close()
    assert traces is not None
    return traces


def a_new_server(server: ServerChild, path: Path) -> None:
    """End by a crash, and let a new server have made its socket."""
    server.kill()
    path.unlink()
    with ServerChild(path) as another:
        another.kill()


def systemd(server: ServerChild, path: Path) -> None:
    """End by a crash, and let systemd have removed the folder."""
    server.kill()
    shutil.rmtree(path.parent)


@pytest.mark.usefixtures("sight")
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param(lambda server, _: server.kill(), CRASH, id="kill -9"),
        pytest.param(lambda server, _: server.stop(), CLEAN, id="stop"),
        pytest.param(a_new_server, UNKNOWN, id="kill -9 and a new server"),
        pytest.param(systemd, UNKNOWN, id="kill -9 and the folder removed"),
    ],
)
def test_an_end_while_the_exporter_was_away_is_told_by_what_is_left(
    path: Path, watch: Watch, end: Callable[[ServerChild, Path], None], expected: ExitKind
) -> None:
    with ServerChild(path) as server:
        traces = left_for_another_run(watch)
        end(server, path)
        with closing(Watch(path, traces)) as next_run:
            assert next_run.exits() == [expected]


@pytest.mark.usefixtures("sight")
def test_a_server_in_whose_place_another_answers_is_counted_once(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        traces = left_for_another_run(watch)
        server.kill()
        with ServerChild(path), closing(Watch(path, traces)) as next_run:
            next_run.online()

            assert next_run.exits() == [UNKNOWN]
            assert next_run.client.traces() != traces


@pytest.mark.usefixtures("sight")
def test_a_server_that_outlives_the_exporter_has_not_ended(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        traces = left_for_another_run(watch)
        with closing(Watch(path, traces)) as next_run:
            next_run.online()
            assert next_run.exits() == []
            server.kill()

            assert next_run.exits() == [CRASH]


@pytest.mark.usefixtures("sight")
def test_an_end_lies_between_the_two_moments_that_are_told(path: Path, watch: Watch) -> None:
    with ServerChild(path) as server:
        watch.online()
        before = time.monotonic()
        server.kill()
        watch.client.probe(1.0)
        after = time.monotonic()
        watch.pass_time()
        (server_exit,) = watch.client.exits()

    assert server_exit.after <= before
    assert before <= server_exit.before
    # Looked at by other means only when time has been put forward.
    assert server_exit.before <= after + SETTLE_SECONDS * 2
