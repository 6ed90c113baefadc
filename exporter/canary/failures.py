"""The failures of a synthetic attacker, written where the canary's jail looks for them."""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from exporter.errors import ExporterError

IDENTIFIER: Final = "fail2ban-exporter-canary"
"""What each line begins with, after its time; the shipped filter looks for it."""
ATTACKERS: Final = IPv6Network("2001:db8::/32")
"""For documentation (RFC 3849), so nobody's. Of the 254 of 192.0.2.0/24, one that is banned still would come again."""
MAX_BYTES: Final = 64 * 1024
"""Past it the file is emptied before the next line is written."""
MAX_LINES: Final = 500
"""They are less than `MAX_BYTES`: what is emptied must be shorter afterwards, or fail2ban would see no rotation."""

_OWN_LINE: Final = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0000 " + IDENTIFIER.encode() + rb": ")
_LONGEST_START: Final = 80
_MODE: Final = 0o640
_AUTHPRIV_INFO: Final = "<86>"


class LogFileError(ExporterError):
    """The failures could not be written."""


def fresh_attacker() -> IPv6Address:
    """Return an address that no attack had before: one of 2 to the 96."""
    return ATTACKERS[secrets.randbelow(ATTACKERS.num_addresses)]


def prepare(path: Path) -> None:
    """Make the file if it is not there: fail2ban wants it when it starts the jail.

    Raises:
        LogFileError: as `write` does.
    """
    try:
        if not _is_socket(path):
            _append(path, b"")
    except OSError as error:
        raise _unwritable(path, error) from None


def write(path: Path, attacker: IPv6Address, times: int, timestamp: float) -> None:
    """Write as many failures of one attacker, all of one moment.

    A file that is not there is made, and readable by its owner and group alone. It is kept small: emptied when it has
    grown past `MAX_BYTES`, which fail2ban takes for a rotation. A file with other content is never touched. A socket at
    the path is the system log's (``/dev/log``), and gets the lines as messages, for a jail that reads the journal.

    Args:
        path: the log file.
        attacker: whose failures.
        times: how many lines, `MAX_LINES` at most.
        timestamp: UTC epoch seconds.

    Raises:
        LogFileError: it can't be written to, or is no regular file or a symbolic link, or is somebody else's.
    """
    total = min(times, MAX_LINES)
    messages = [f"{IDENTIFIER}: failure {number} of {total} from {attacker}" for number in range(1, total + 1)]
    try:
        if _is_socket(path):
            _send(path, [f"{_AUTHPRIV_INFO}{message}" for message in messages])
            return
        stamp = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
        _append(path, "".join(f"{stamp} {message}\n" for message in messages).encode())
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> LogFileError:
    return LogFileError(
        f"{path} can't be written to: {error.strerror or error}; --canary.log-file has to name a file in a folder that "
        "the exporter may write to"
    )


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _send(path: Path, messages: Sequence[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(1.0)
        log.connect(str(path))
        for message in messages:
            log.send(message.encode())


def _append(path: Path, data: bytes) -> None:
    # Looked at before it is opened: to open a pipe would wake whoever waits at its other end.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise LogFileError(f"{path} is no regular file: --canary.log-file has to name one, and no symbolic link")
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags, _MODE)
    try:
        status = os.fstat(descriptor)
        start = os.pread(descriptor, _LONGEST_START, 0) if stat.S_ISREG(status.st_mode) else b"no file"
        if start and not _OWN_LINE.match(start):
            raise LogFileError(f"{path} has lines that are not the canary's: --canary.log-file needs a file of its own")
        if status.st_size > MAX_BYTES:
            os.ftruncate(descriptor, 0)
        # At once: a line that fail2ban reads before it is whole is one that it does not know.
        if os.write(descriptor, data) != len(data):
            os.ftruncate(descriptor, 0)
            raise LogFileError(f"{path} can't be written to: no space left on device")
    finally:
        os.close(descriptor)
