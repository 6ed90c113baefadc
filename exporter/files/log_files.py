"""Whether log files are there, and when they were last written."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from exporter.files.mounts import MountTable
from exporter.model import JailLogFiles

_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class Presence(Enum):
    """What a look at a path came to."""

    THERE = "there"
    """Something that lines can be read from: a file, or a device such as ``/dev/null``."""
    ABSENT = "absent"
    """Nothing, a symbolic link to nothing, or a folder, a FIFO or a socket: fail2ban reads no line from these."""
    UNKNOWN = "unknown"
    """It may not be looked at, or can't."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A path as it was seen."""

    presence: Presence
    modified: float | None = None
    """UTC epoch seconds; None unless it is a regular file."""
    resolved: str | None = None
    """Of one that is absent: where it leads, symbolic links followed as far as there are any."""


def look(path: str) -> Sight:
    """Look at a log file. May hang for as long as its file system does."""
    if not path.startswith("/"):
        return Sight(Presence.UNKNOWN)
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError) or error.errno not in _ABSENT:
            return Sight(Presence.UNKNOWN)
        return Sight(Presence.ABSENT, resolved=os.path.realpath(path))
    if stat.S_ISREG(status.st_mode):
        return Sight(Presence.THERE, status.st_mtime)
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return Sight(Presence.THERE)
    return Sight(Presence.ABSENT, resolved=path)


class Views:
    """Tells whether the exporter sees at a path what fail2ban sees there."""

    def __init__(self) -> None:
        self._own: MountTable | None = None
        self._others: MountTable | None = None
        self._seen: set[str] = set()

    def compare(self, own: MountTable | None, others: MountTable | None) -> None:
        """Take the mounts that either sees; they stand until this is called again."""
        self._own, self._others = own, others

    def judge(self, sights: Mapping[str, Sight]) -> dict[str, Sight]:
        """Return what was seen, less what says nothing of what fail2ban sees.

        Where the mounts can't be compared, as from a container with process ids of its own, a file that is not there
        may be one that only fail2ban sees. It is missing for certain if it was seen before, or another log file is in
        its folder.
        """
        here = {path for path, sight in sights.items() if sight.presence is Presence.THERE}
        self._seen = here | self._seen & sights.keys()
        folders = {_folder(path) for path in here}
        judged = {}
        for path, sight in sights.items():
            is_same = self._is_same(path, sight.resolved or path)
            is_evident = sight.presence is Presence.THERE or path in self._seen or _folder(path) in folders
            holds = is_evident if is_same is None else is_same
            judged[path] = sight if holds else Sight(Presence.UNKNOWN)
        return judged

    def _is_same(self, *paths: str) -> bool | None:
        """Tell whether all of these lead to the same place for both; None where that is not known."""
        places = [(self._own and self._own.place(path), self._others and self._others.place(path)) for path in paths]
        if any(here is None or there is None for here, there in places):
            return None
        return all(here == there for here, there in places)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def of_jail(jail: str, paths: Iterable[str], sights: Mapping[str, Sight]) -> JailLogFiles:
    """Put together what is known of a jail's log files.

    How many are missing is at least that many where some can't be looked at, and not known where those are all that
    could be.
    """
    seen = [sights.get(path, Sight(Presence.UNKNOWN)) for path in paths]
    missing = sum(sight.presence is Presence.ABSENT for sight in seen)
    is_known = missing > 0 or all(sight.presence is Presence.THERE for sight in seen)
    written = [sight.modified for sight in seen if sight.modified is not None]
    return JailLogFiles(jail, len(seen), missing if is_known else None, max(written, default=None))
