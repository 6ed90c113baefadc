"""Whether a path leads to the same place for the exporter as for fail2ban, which may see other file systems.

A service may be shown an empty folder in the place of ``/home``, a container a folder of its own in the place of
``/var/log``. The kernel tells everybody which mounts a process sees (``/proc/PID/mountinfo``; no right over the process
is needed, unlike for its root folder and its namespaces).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from exporter.whole_file import read_up_to

_MOST: Final = 4_000_000
"""Bytes of the longest table that is read: some 20,000 mounts."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table."""

    number: int
    device: str
    root: str
    """The folder of the file system that is mounted there."""
    point: str


class MountTable:
    """The mounts that a process sees."""

    def __init__(self, text: str) -> None:
        """Take what the kernel writes: ``36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw``."""
        self._children: dict[tuple[int, str], Mount] = {}
        mounts = []
        for line in filter(None, text.split("\n")):  # the kernel escapes no other end of line
            number, parent, device, root, point, *_ = line.split(" ")
            mount = Mount(int(number), device, _unescaped(root), _unescaped(point))
            mounts.append((int(parent), mount))
            self._children[int(parent), mount.point] = mount
        numbers = {mount.number for _, mount in mounts}
        roots = [mount for parent, mount in mounts if mount.point == "/" and parent not in numbers - {mount.number}]
        self._root = roots[0] if len(roots) == 1 else None

    @classmethod
    def of_process(cls, pid: int | str) -> MountTable | None:
        """Read the table of a process; None where it can't be seen."""
        try:
            with Path(f"/proc/{pid}/mountinfo").open("rb") as file:
                table = read_up_to(file, _MOST)
            return cls(table.decode(errors="surrogateescape")) if table is not None else None
        except (OSError, ValueError):
            return None

    def covering(self, path: str) -> Mount | None:
        """Return the mount that a path without symbolic links leads into; None where that is not known."""
        mount, parts = self._root, PurePosixPath(path).parts
        if mount is None or parts[:1] != ("/",) or ".." in parts:
            return None
        for folder in accumulate(parts, lambda before, part: f"{before.rstrip('/')}/{part}"):
            # One may be mounted over another, which hides what is mounted further down in that.
            while (above := self._children.get((mount.number, folder))) is not None and above is not mount:
                mount = above
        return mount

    def place(self, path: str) -> tuple[str, str] | None:
        """Return file system and path in it, which for one and the same file are the same in every table."""
        mount = self.covering(path)
        if mount is None:
            return None
        inside = PurePosixPath(path).relative_to(mount.point)
        return mount.device, str(PurePosixPath(mount.root) / inside)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text
