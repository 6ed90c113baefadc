"""Two processes see the same at a path if their mounts lead to the same folder of the same file system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.files.mounts import MountTable
from tests.waiting import DEADLINE

TABLE = MountTable(
    r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 8:2 / /var rw shared:2 - ext4 /dev/sda2 rw
25 24 0:40 /@/log /var/log rw - btrfs /dev/sdb rw
26 22 8:1 /srv/data /mnt/with\040space rw - ext4 /dev/sda1 rw
27 22 8:3 / /home rw - ext4 /dev/sda3 rw
28 27 8:4 / /home/me rw - ext4 /dev/sda4 rw
29 27 0:50 / /home ro - tmpfs tmpfs ro
30 29 0:51 / /home ro - tmpfs tmpfs ro
31 22 8:5 / /mnt/\x0b\x85 rw - ext4 /dev/sda5 rw
""".replace(r"\x0b\x85", "\x0b\x85")
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", ("8:1", "/")),
        ("/etc/x", ("8:1", "/etc/x")),
        ("/variable", ("8:1", "/variable")),
        ("/var", ("8:2", "/")),
        ("/var/lib/x", ("8:2", "/lib/x")),
        ("/var/log/x", ("0:40", "/@/log/x")),
        ("/mnt/with space/x", ("8:1", "/srv/data/x")),
        ("/home/me/x", ("0:51", "/me/x")),
        ("/mnt/\x0b\x85/x", ("8:5", "/x")),
        ("relative", None),
        ("", None),
        ("/var/../etc/x", None),
    ],
)
def test_a_path_leads_into_the_mount_that_is_seen_there(path: str, place: tuple[str, str] | None) -> None:
    assert TABLE.place(path) == place


def test_two_folders_of_one_file_system_are_two_places_and_one_folder_mounted_twice_is_one() -> None:
    other = MountTable("1 0 0:99 / / rw - overlay x rw\n2 1 8:1 /srv /mnt rw - ext4 x rw")

    assert other.place("/mnt/data/x") == TABLE.place("/mnt/with space/x")
    assert other.place("/mnt/x") != TABLE.place("/mnt/x")


@pytest.mark.parametrize("text", ["", "1 0 8:1 / /var rw - ext4 x rw", "1 0 8:1 / / x\n2 0 8:2 / / x"])
def test_without_one_root_no_path_leads_anywhere(text: str) -> None:
    assert MountTable(text).place("/var") is None


def test_the_process_of_a_program_that_has_ended_sees_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(DEADLINE)

    assert MountTable.of_process(ended.pid) is None


def test_this_process_sees_what_its_files_are_on(tmp_path: Path) -> None:
    table = MountTable.of_process("self")

    assert table is not None
    place = table.place(str(tmp_path.resolve()))
    assert place is not None
    device = tmp_path.stat().st_dev
    assert place[0] == f"{os.major(device)}:{os.minor(device)}"


def test_a_process_that_is_shown_something_else_in_one_folder_sees_the_same_in_all_others(tmp_path: Path) -> None:
    hidden, shown = tmp_path / "hidden", tmp_path / "shown"
    hidden.mkdir()
    shown.mkdir()
    words = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none '{hidden}' && echo mounted && read x"]
    if os.geteuid() != 0:
        words[1:1] = ["--user", "--map-root-user"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "mounted\n"
            own, others = MountTable.of_process("self"), MountTable.of_process(other.pid)
        finally:
            other.kill()

    assert own is not None
    assert others is not None
    assert own.place(f"{shown}/x") == others.place(f"{shown}/x") is not None
    assert own.place(f"{hidden}/x") != others.place(f"{hidden}/x")
