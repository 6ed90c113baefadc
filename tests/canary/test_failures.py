"""What the canary writes, and where: it must reach fail2ban, and must never harm a file of somebody else's."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from exporter.canary import LogFileError
from exporter.canary.failures import ATTACKERS, MAX_BYTES, MAX_LINES, fresh_attacker, prepare, write
from tests.fakes import short_folder

ATTACKER = IPv6Address("2001:db8::7")
TIMESTAMP = 1_700_000_000.9
LINE = "2023-11-14 22:13:20+0000 fail2ban-exporter-canary: failure {} of {} from 2001:db8::7\n"


def test_attackers_are_addresses_for_documentation_and_never_the_same_again() -> None:
    attackers = [fresh_attacker() for _ in range(1000)]

    assert len(set(attackers)) == 1000
    assert all(attacker in ATTACKERS for attacker in attackers)
    assert str(ATTACKERS) == "2001:db8::/32"


def test_failures_are_appended_each_a_line_of_its_own_with_the_time_in_utc(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"

    write(log, ATTACKER, 2, TIMESTAMP)
    write(log, ATTACKER, 1, TIMESTAMP)

    assert LINE.format(1, 2) + LINE.format(2, 2) + LINE.format(1, 1) == log.read_text()


def test_a_file_that_is_not_there_is_made_for_its_owner_and_group_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        prepare(tmp_path / "canary.log")
    finally:
        os.umask(before)

    status = (tmp_path / "canary.log").stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_size == 0


def test_preparing_leaves_a_file_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    write(log, ATTACKER, 1, TIMESTAMP)

    prepare(log)

    assert log.read_text() == LINE.format(1, 1)


def test_the_file_is_emptied_when_it_has_grown_and_only_then(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    sizes = []
    for _ in range(3 * MAX_BYTES // len(LINE)):
        write(log, ATTACKER, 1, TIMESTAMP)
        sizes.append(log.stat().st_size)

    emptied = [number for number, size in enumerate(sizes[1:], 1) if size < sizes[number - 1]]
    assert len(emptied) == 2
    assert all(MAX_BYTES < sizes[number - 1] < MAX_BYTES + len(LINE) for number in emptied)


def test_however_many_failures_a_jail_wants_the_file_stays_small(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"

    write(log, ATTACKER, 10**9, TIMESTAMP)

    assert log.read_text().count("\n") == MAX_LINES


def test_what_is_written_to_an_emptied_file_is_shorter_than_what_was_there(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    longest = IPv6Address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")

    write(log, longest, MAX_LINES, TIMESTAMP)

    assert log.stat().st_size < MAX_BYTES


def test_a_file_of_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    log = tmp_path / "auth.log"
    log.write_text("Nov 14 22:13:20 host sshd[1]: Failed password\n" * 5000)
    before = log.read_bytes()

    with pytest.raises(LogFileError, match="lines that are not the canary's"):
        prepare(log)
    with pytest.raises(LogFileError, match="lines that are not the canary's"):
        write(log, ATTACKER, 1, TIMESTAMP)

    assert log.read_bytes() == before


def _symlink(path: Path) -> None:
    (path.parent / "victim").write_text("")
    path.symlink_to(path.parent / "victim")


def _dangling(path: Path) -> None:
    path.symlink_to(path.parent / "victim")


@pytest.mark.parametrize(
    "make", [_symlink, _dangling, os.mkfifo, os.mkdir], ids=["symlink", "dangling", "pipe", "folder"]
)
def test_what_is_no_regular_file_is_refused_at_once(make: Callable[[Path], None], tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    make(log)

    with pytest.raises(LogFileError, match="no regular file"):
        write(log, ATTACKER, 1, TIMESTAMP)

    victim = tmp_path / "victim"
    assert not victim.exists() or victim.read_bytes() == b""


def test_somebody_who_waits_at_the_other_end_of_a_pipe_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(LogFileError):
        write(log, ATTACKER, 1, TIMESTAMP)

    assert os.read(reader, 100) == b""
    os.close(reader)


def test_a_path_that_can_not_be_had_is_said_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "canary.log"

    with pytest.raises(LogFileError) as preparing:
        prepare(path)
    with pytest.raises(LogFileError) as writing:
        write(path, ATTACKER, 1, TIMESTAMP)

    assert str(preparing.value) == str(writing.value)
    assert str(writing.value) == (
        f"{path} can't be written to: No such file or directory; --canary.log-file has to name a file in a folder "
        "that the exporter may write to"
    )


def test_a_line_that_was_not_written_whole_is_an_error_and_is_not_left_behind(tmp_path: Path) -> None:
    log = tmp_path / "canary.log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(LogFileError, match="no space left"):
            write(log, ATTACKER, 3, TIMESTAMP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert log.read_bytes() == b""


def test_a_socket_is_the_system_logs_and_gets_messages_under_the_canarys_name() -> None:
    path = short_folder() / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(10)
        prepare(path)
        link = path.with_name("link")  # as /dev/log is
        link.symlink_to(path)
        write(link, ATTACKER, 2, TIMESTAMP)
        received = [log.recv(1000).decode() for _ in range(2)]
    link.unlink()
    path.unlink()
    path.parent.rmdir()

    assert received == [f"<86>fail2ban-exporter-canary: failure {number} of 2 from 2001:db8::7" for number in (1, 2)]


def test_nobody_listens_at_the_system_logs_socket() -> None:
    path = short_folder() / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))

    with pytest.raises(LogFileError, match="Connection refused"):
        write(path, ATTACKER, 1, TIMESTAMP)
    path.unlink()
    path.parent.rmdir()
