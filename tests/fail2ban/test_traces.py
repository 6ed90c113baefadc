"""What is left on disk never says more of a server's end than it shows."""

import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.fail2ban.traces import Ending, SocketTraces
from exporter.model import ExitKind

ALIVE = SocketTraces(socket="S", folder="F")
LEFT = ALIVE
REMOVED = SocketTraces(socket=None, folder="F")
ANOTHER = SocketTraces(socket="T", folder="F")
NOTHING = SocketTraces(socket=None, folder=None)
NEW_FOLDER = SocketTraces(socket=None, folder="G")
NEW_SERVER = SocketTraces(socket="T", folder="G")


@pytest.mark.parametrize(
    ("ended", "settled", "expected"),
    [
        pytest.param(LEFT, LEFT, ExitKind.CRASH, id="socket left behind"),
        pytest.param(LEFT, NOTHING, ExitKind.CRASH, id="socket left, then systemd removes the folder"),
        pytest.param(LEFT, REMOVED, ExitKind.CRASH, id="socket left, then somebody removes it"),
        pytest.param(LEFT, ANOTHER, ExitKind.CRASH, id="socket left, then a new server"),
        pytest.param(REMOVED, REMOVED, ExitKind.CLEAN, id="socket removed from the same folder"),
        pytest.param(REMOVED, ANOTHER, ExitKind.CLEAN, id="socket removed, then a new server in the same folder"),
        pytest.param(REMOVED, NOTHING, ExitKind.UNKNOWN, id="systemd in the middle of removing"),
        pytest.param(REMOVED, NEW_SERVER, ExitKind.UNKNOWN, id="systemd in the middle, then a new server"),
        pytest.param(NOTHING, NOTHING, ExitKind.UNKNOWN, id="folder gone"),
        pytest.param(NOTHING, REMOVED, ExitKind.UNKNOWN, id="folder gone, then another under its old number"),
        pytest.param(NEW_FOLDER, NEW_FOLDER, ExitKind.UNKNOWN, id="folder made anew"),
        pytest.param(ANOTHER, ANOTHER, ExitKind.UNKNOWN, id="a new server at once"),
        pytest.param(NEW_SERVER, NEW_SERVER, ExitKind.UNKNOWN, id="a new server in a new folder"),
    ],
)
def test_an_end_is_told_by_what_is_left(ended: SocketTraces, settled: SocketTraces, expected: ExitKind) -> None:
    assert expected is Ending(ALIVE, ended, settled).kind()


@pytest.mark.parametrize("missing", ["socket", "folder"])
def test_what_was_not_seen_while_it_ran_tells_nothing(missing: str) -> None:
    alive = replace(ALIVE, **{missing: None})

    assert Ending(alive, REMOVED, REMOVED).kind() is ExitKind.UNKNOWN
    assert Ending(alive, alive, alive).kind() is ExitKind.UNKNOWN


def listening(path: Path) -> None:
    """Leave a socket behind, as a crash does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A socket in a folder of its own; relative, since an absolute one may be too long to bind."""
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    listening(Path("run/sock"))
    return Path("run/sock")


def test_a_look_at_the_same_socket_is_the_same(path: Path) -> None:
    assert SocketTraces.look(str(path)) == SocketTraces.look(str(path))


def test_a_socket_made_anew_is_another_also_where_its_inode_is_used_again(path: Path) -> None:
    before = SocketTraces.look(str(path))
    path.unlink()
    listening(path)
    after = SocketTraces.look(str(path))

    assert before.folder == after.folder
    assert before.socket != after.socket


def test_other_files_in_the_folder_change_nothing(path: Path) -> None:
    before = SocketTraces.look(str(path))
    (path.parent / "fail2ban.pid").touch()

    assert before == SocketTraces.look(str(path))


def test_what_is_gone_is_none(path: Path) -> None:
    path.unlink()
    assert SocketTraces.look(str(path)).socket is None
    assert SocketTraces.look(str(path)).folder is not None

    shutil.rmtree(path.parent)
    assert SocketTraces.look(str(path)) == NOTHING


def test_a_link_to_the_folder_is_followed(path: Path) -> None:
    Path("var").mkdir()
    Path("var/run").symlink_to(os.path.relpath(path.parent, "var"))

    assert SocketTraces.look("var/run/sock") == SocketTraces.look(str(path))
