"""The process at the other end of the socket: which one it is, whether and how it ended, what it uses.

Peer credentials name the process that called listen(). A pidfd holds it without the races of a process id: it becomes
readable when the process ends, across PID namespaces too, and newer kernels tell the exit status through it, with no
right over the process needed. Where any of this is missing the answer is "not known", never a guess.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from exporter.model import ExitKind, ProcessUsage

_SO_PEERPIDFD: Final = 77  # Linux 6.5; the socket module does not name it yet
_PIDFD_INFO_SIZE: Final = 64
_PIDFD_GET_INFO: Final = 3 << 30 | _PIDFD_INFO_SIZE << 16 | 0xFF << 8 | 11  # _IOWR(0xFF, 11, 64 bytes), Linux 6.13
_PIDFD_INFO_EXIT: Final = 1 << 3  # granted once the process has been reaped
_EXIT_STATUS_SINCE: Final = (6, 15)
_EXIT_CODE_OFFSET: Final = 60
_PIDFS_SINCE: Final = (6, 9)  # before, all pidfds share one inode

_ASKED_TO_STOP: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
"""fail2ban gives these their default action back while it stops, so a second one ends a clean stop."""

_ORDERLY: Final = frozenset({0, 255})
"""fail2ban ends with 255 when it gives up starting, or is stopped while it starts, and cleans up behind itself."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_DEAD: Final = frozenset("ZX")
"""States of a process that has ended, or whose first thread has while others still hold its sockets."""
_MAX_DIGITS: Final = 40
"""More than any process id and start time have together."""
_START_TIME_FIELD: Final = 19  # of /proc/PID/stat, counted behind the command's name, from 0


class ServerProcess:
    """The server's process, as far as this kernel and this namespace show it.

    Holds a descriptor where the kernel gives one: `close` it. Used by the prober's thread alone.
    """

    def __init__(
        self, pid: int | None, pidfd: int | None, start_ticks: int | None, *, is_trusted: bool = False
    ) -> None:
        self.pid = pid
        self.is_trusted = is_trusted
        """Whether its user is root or the exporter's own."""
        self._pidfd = pidfd
        self._start_ticks = start_ticks
        self.start_time = None if start_ticks is None else _epoch(start_ticks)
        """UTC epoch seconds at which the process started, to a hundredth of a second; the clock as it was set then."""

    @classmethod
    def of_peer(cls, connected: socket.socket) -> Self:
        """Return the peer of a connected UNIX socket; never raises for what can't be seen."""
        pid = _peer_pid(connected)
        pidfd = _peer_pidfd(connected, pid)
        is_trusted = _peer_uid(connected) in {0, os.geteuid()}
        if pid is not None and _command_name(pid) == "systemd":
            # Socket activation: systemd listens, the server itself is not to be seen.
            if pidfd is not None:
                os.close(pidfd)
            return cls(None, None, None, is_trusted=is_trusted)
        return cls(pid, pidfd, _start_ticks(pid), is_trusted=is_trusted)

    @classmethod
    def of_identity(cls, identity: str) -> Self:
        """Return the process that had this identity in an earlier run of the exporter; it may have ended since."""
        kind, _, numbers = identity.partition(":")
        pid, _, ticks = numbers.partition(":")
        if kind != "pid" or not (pid.isdecimal() and ticks.isdecimal()) or len(numbers) > _MAX_DIGITS:
            return cls(None, None, None)
        pidfd = None
        with suppress(OSError, OverflowError):
            pidfd = os.pidfd_open(int(pid))
        if pidfd is not None and _start_ticks(int(pid)) != int(ticks):
            os.close(pidfd)  # the number belongs to another process now
            pidfd = None
        return cls(int(pid), pidfd, int(ticks))

    @property
    def identity(self) -> str | None:
        """Equal for one process and different for every other; None where the process can't be seen."""
        if self.pid is not None and self._start_ticks is not None:
            return f"pid:{self.pid}:{self._start_ticks}"
        if self._pidfd is not None and _kernel() >= _PIDFS_SINCE:
            return f"pidfs:{os.fstat(self._pidfd).st_ino}"
        return None

    def fileno(self) -> int | None:
        """Return a descriptor that becomes readable when the process ends, or None."""
        return self._pidfd

    def has_ended(self) -> bool | None:
        """Tell whether the process has ended; None where that can't be seen."""
        if self._pidfd is not None:
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            return bool(poller.poll(0))
        if self.pid is not None and self._start_ticks is not None:
            fields = _stat(self.pid)
            return fields is None or fields[0] in _DEAD or int(fields[_START_TIME_FIELD]) != self._start_ticks
        return None

    @property
    def tells_exit_status(self) -> bool:
        """Whether `exit_kind` will know, if not at once: the status is there once the parent has reaped the process."""
        return self._pidfd is not None and _kernel() >= _EXIT_STATUS_SINCE

    def exit_kind(self) -> ExitKind | None:
        """Tell how the process ended, by its exit status; None while it runs or where the kernel does not tell."""
        if not self.tells_exit_status or self._pidfd is None:
            return None
        info = bytearray(_PIDFD_INFO_SIZE)
        struct.pack_into("=Q", info, 0, _PIDFD_INFO_EXIT)
        try:
            fcntl.ioctl(self._pidfd, _PIDFD_GET_INFO, info)
        except OSError:
            return None
        if not struct.unpack_from("=Q", info, 0)[0] & _PIDFD_INFO_EXIT:
            return None
        return classify(struct.unpack_from("=i", info, _EXIT_CODE_OFFSET)[0])

    def usage(self) -> ProcessUsage | None:
        """Return what the process uses now; None where ``/proc`` does not show it or it has ended."""
        if self.pid is None or self._start_ticks is None:
            return None
        fields = _stat(self.pid)
        if fields is None or fields[0] in _DEAD or int(fields[_START_TIME_FIELD]) != self._start_ticks:
            return None
        return ProcessUsage(
            cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
            virtual_bytes=int(fields[20]),
            resident_bytes=int(fields[21]) * _PAGE,
            open_fds=_open_fds(self.pid),
            max_fds=_max_fds(self.pid),
        )

    def close(self) -> None:
        """Let go of the descriptor; again does nothing."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def classify(status: int) -> ExitKind:
    """Tell clean from crash by a wait status: an orderly end or a request to stop is clean, all else is a crash."""
    if os.WIFSIGNALED(status):
        return ExitKind.CLEAN if os.WTERMSIG(status) in _ASKED_TO_STOP else ExitKind.CRASH
    return ExitKind.CLEAN if os.WEXITSTATUS(status) in _ORDERLY else ExitKind.CRASH


def _peer_pid(connected: socket.socket) -> int | None:
    return _credentials(connected)[0] or None  # 0: a process of another PID namespace


def _peer_uid(connected: socket.socket) -> int | None:
    return _credentials(connected)[1]


def _credentials(connected: socket.socket) -> tuple[int | None, int | None]:
    size = struct.calcsize("=iII")
    try:
        pid, uid, _gid = struct.unpack("=iII", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    except OSError:
        return None, None
    return int(pid), int(uid)


def _peer_pidfd(connected: socket.socket, pid: int | None) -> int | None:
    with suppress(OSError):
        return connected.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    if pid is not None:
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` behind the command's name, which may hold any character."""
    text = _read(f"/proc/{pid}/stat")
    return None if text is None else text.rpartition(")")[2].split()


def _start_ticks(pid: int | None) -> int | None:
    fields = None if pid is None else _stat(pid)
    return None if fields is None else int(fields[_START_TIME_FIELD])


def _command_name(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _epoch(ticks_since_boot: int) -> float | None:
    with suppress(OSError), Path("/proc/stat").open(encoding="ascii") as lines:
        for line in lines:
            if line.startswith("btime "):
                return int(line.split()[1]) + ticks_since_boot / _TICKS
    return None


def _open_fds(pid: int) -> int | None:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # a path object for each one takes thrice the time
    except OSError:
        return None


def _max_fds(pid: int) -> int | None:
    with suppress(OSError):  # not everybody may ask, but it takes a tenth of the time
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
        return None if limit == resource.RLIM_INFINITY else limit
    text = _read(f"/proc/{pid}/limits") or ""
    word = text.partition("Max open files")[2].split(maxsplit=1)[:1]
    return int(word[0]) if word and word[0].isdigit() else None


def _read(path: str) -> str | None:
    """Return a short file of ``/proc``, in a third of the time that the library for paths and texts takes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _PAGE).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError:
        return None


def _kernel() -> tuple[int, ...]:
    parts = os.uname().release.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit())
