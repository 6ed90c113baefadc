"""A log file is called missing if fail2ban can read nothing there, and only if that is certain."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.files.log_files import Presence, Sight, Views, look, of_jail
from exporter.files.mounts import MountTable
from exporter.model import JailLogFiles
from tests.nobody import as_nobody, let_everybody_reach

THERE, ABSENT, UNKNOWN = Presence.THERE, Presence.ABSENT, Presence.UNKNOWN


def nothing(path: Path) -> None:
    """Make none."""
    del path


def without_its_folder(path: Path) -> None:
    path.parent.rmdir()


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_file(path: Path) -> None:
    path.with_name("other").touch()
    path.symlink_to("other")


def link_to_null(path: Path) -> None:
    path.symlink_to("/dev/null")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "presence"),
    [
        (Path.touch, THERE),
        (link_to_a_file, THERE),
        (link_to_null, THERE),
        (nothing, ABSENT),
        (without_its_folder, ABSENT),
        (below_a_file, ABSENT),
        (link_to_nothing, ABSENT),
        (link_to_itself, ABSENT),
        (Path.mkdir, ABSENT),
        (fifo, ABSENT),
        (unix_socket, ABSENT),
    ],
)
def test_there_is_what_lines_can_be_read_from(tmp_path: Path, make: Callable[[Path], None], presence: Presence) -> None:
    path = tmp_path / "log" / "x.log"
    path.parent.mkdir()
    make(path)

    assert presence is look(str(path)).presence


def test_when_it_was_written_is_that_of_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    link_to_a_file(path)
    os.utime(tmp_path / "other", (1, 1234.5))

    assert look(str(path)).modified == 1234.5


def test_a_device_was_never_written() -> None:
    assert look("/dev/null") == Sight(THERE, None)


@pytest.mark.parametrize("path", ["x.log", "", "/a\0b", "/\ud800", "/" + "x" * 300], ids=repr)
def test_what_can_not_be_looked_at_is_not_known(path: str) -> None:
    assert look(path) == Sight(UNKNOWN)


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_missing(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "x.log").touch()
    folder.chmod(0)
    let_everybody_reach(folder)

    with as_nobody():
        assert look(str(folder / "x.log")) == Sight(UNKNOWN)
        assert look(str(folder / "y.log")) == Sight(UNKNOWN)
    folder.chmod(0o700)


def test_a_file_that_may_not_be_read_is_there_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.touch(mode=0)
    let_everybody_reach(path)

    with as_nobody():
        assert THERE is look(str(path)).presence


# -- of one jail

ONE = Sight(THERE, 100.0)
OTHER = Sight(THERE, 200.0)


@pytest.mark.parametrize(
    ("sights", "missing", "modified"),
    [
        pytest.param([], 0, None, id="none is watched"),
        pytest.param([ONE, OTHER], 0, 200.0, id="all there: the newest counts"),
        pytest.param([OTHER, Sight(ABSENT)], 1, 200.0, id="one is missing"),
        pytest.param([Sight(ABSENT), Sight(ABSENT)], 2, None, id="all are"),
        pytest.param([ONE, Sight(UNKNOWN)], None, 100.0, id="one can't be seen"),
        pytest.param([Sight(UNKNOWN)], None, None, id="none can"),
        pytest.param([Sight(UNKNOWN), Sight(ABSENT)], 1, None, id="one at least is missing"),
        pytest.param([Sight(THERE, None)], 0, None, id="a device"),
    ],
)
def test_a_jail_is_missing_what_is_certainly_not_there(
    sights: list[Sight], missing: int | None, modified: float | None
) -> None:
    paths = [f"/{number}" for number in range(len(sights))]
    found = of_jail("sshd", paths, dict(zip(paths, sights, strict=True)))

    assert found == JailLogFiles("sshd", len(sights), missing, modified)


def test_a_file_that_hangs_is_not_known() -> None:
    assert of_jail("sshd", ["/a", "/b"], {"/a": ONE}) == JailLogFiles("sshd", 2, None, 100.0)


# -- what fail2ban sees there

HOST = MountTable("1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /var/log rw - ext4 x rw\n3 1 8:1 /srv /data rw - ext4 x rw")
UNIT = MountTable("9 0 8:1 / / ro - ext4 x rw\n8 9 8:2 / /var/log ro - ext4 x rw\n7 9 0:40 / /home ro - tmpfs x ro")
CONTAINER = MountTable("1 0 0:99 / / rw - overlay x rw\n2 1 8:2 /nginx /var/log/nginx ro - ext4 x rw")


def judged(views: Views, path: str, presence: Presence, **others: Presence) -> Presence:
    """What is made of it, seen along with other files in its folder."""
    sights = {f"{path.rpartition('/')[0]}/{name}": Sight(seen) for name, seen in others.items()}
    return views.judge({path: Sight(presence, resolved=path), **sights})[path].presence


@pytest.mark.parametrize(
    ("own", "path", "absent", "there"),
    [
        pytest.param(HOST, "/var/log/auth.log", ABSENT, THERE, id="on the host"),
        pytest.param(UNIT, "/var/log/auth.log", ABSENT, THERE, id="a service that sees the same"),
        pytest.param(UNIT, "/home/me/x.log", UNKNOWN, UNKNOWN, id="a service from which it is hidden"),
        pytest.param(CONTAINER, "/var/log/auth.log", UNKNOWN, UNKNOWN, id="a container with a folder of its own"),
        pytest.param(CONTAINER, "/var/log/nginx/x.log", ABSENT, THERE, id="a container that is shown the folder"),
        pytest.param(None, "/var/log/auth.log", UNKNOWN, THERE, id="own mounts not to be seen"),
    ],
)
def test_a_file_says_something_only_where_both_see_the_same(
    own: MountTable | None, path: str, absent: Presence, there: Presence
) -> None:
    views = Views()
    views.compare(own, HOST)

    assert (absent, there) == (judged(views, path, ABSENT), judged(Views() if own is None else views, path, THERE))


def test_where_mounts_can_not_be_compared_a_file_is_missing_if_it_was_there_before() -> None:
    views = Views()
    views.compare(CONTAINER, None)

    assert judged(views, "/var/log/auth.log", ABSENT) is UNKNOWN
    assert judged(views, "/var/log/auth.log", THERE) is THERE
    assert judged(views, "/var/log/auth.log", ABSENT) is ABSENT


def test_where_mounts_can_not_be_compared_a_file_is_missing_if_another_log_file_is_beside_it() -> None:
    views = Views()

    assert judged(views, "/var/log/auth.log", ABSENT, syslog=THERE) is ABSENT
    assert judged(Views(), "/var/log/auth.log", ABSENT, syslog=ABSENT) is UNKNOWN


def test_what_is_watched_no_more_is_forgotten() -> None:
    views = Views()
    judged(views, "/var/log/auth.log", THERE)
    views.judge({})

    assert judged(views, "/var/log/auth.log", ABSENT) is UNKNOWN


def test_where_a_link_leads_both_must_see_the_same_too() -> None:
    views = Views()
    views.compare(UNIT, HOST)
    hidden = Sight(ABSENT, resolved="/home/me/x.log")
    shown = Sight(ABSENT, resolved="/var/log/x.log")

    assert views.judge({"/opt/a": hidden, "/opt/b": shown}) == {"/opt/a": Sight(UNKNOWN), "/opt/b": shown}
