"""What a server leaves behind on disk: the evidence of how it ended, where its exit status can't be had.

A clean stop removes the socket, a crash leaves it. But systemd removes the whole folder (``RuntimeDirectory=``) within
milliseconds of either, and unlinks the socket first: a socket that is gone proves a clean stop only while the folder
that held it is still the same one some time later.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from exporter.model import ExitKind


@dataclass(frozen=True, slots=True)
class SocketTraces:
    """The socket file and its folder, as they were at one moment; None for what is not there."""

    socket: str | None
    """Identity of the socket file: a server makes it anew at each start."""
    folder: str | None

    @classmethod
    def look(cls, path: str) -> SocketTraces:
        """Look at the socket at `path` and at its folder."""
        # The folder first: if both vanish meanwhile, what is seen is "folder there, socket gone", which needs a second
        # look anyhow; the other way round a crash would look like a folder removed.
        folder = _identity(Path(path).parent)
        return cls(socket=_identity(Path(path)), folder=folder)


@dataclass(frozen=True, slots=True)
class Ending:
    """Three looks at the socket: while the server ran, right at its end, and when that had settled."""

    alive: SocketTraces
    ended: SocketTraces
    settled: SocketTraces

    def kind(self) -> ExitKind:
        """Tell how the server ended, `UNKNOWN` at worst."""
        if self.alive.socket is None or self.alive.folder is None:
            return ExitKind.UNKNOWN
        if self.ended.socket == self.alive.socket:
            return ExitKind.CRASH
        gone_from_same_folder = self.ended.socket is None and self.ended.folder == self.alive.folder
        if gone_from_same_folder and self.settled.folder == self.alive.folder:
            return ExitKind.CLEAN
        return ExitKind.UNKNOWN


def _identity(path: Path) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # File systems use inode numbers again; the time of birth is not in stat, and that of the last change is near enough
    # for a socket, which nothing changes. A folder's moves with its content.
    changed = "" if stat.S_ISDIR(status.st_mode) else f":{status.st_ctime_ns}"
    return f"{status.st_dev}:{status.st_ino}{changed}"
