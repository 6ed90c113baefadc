"""The sockets that systemd passes: whoever can't be served by them is told what to change in the units."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.web import inherited
from exporter.web.inherited import NoPassedSocket, inherit, take_passed


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listener(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family)
    if family == socket.AF_INET:
        sock.bind(("127.0.0.1", 0))
    else:
        sock.bind("")  # an abstract name that the kernel chooses
    sock.listen(1)
    return sock


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_passed_sockets_are_served_on_and_systemd_s_own_stay_open(resources: ExitStack) -> None:
    original = resources.enter_context(listener())
    copy = os.dup(original.fileno())

    (sock,) = inherit([(copy, "fail2ban-exporter.socket")])

    assert original.getsockname() == sock.getsockname()
    assert sock.gettimeout() == 0
    sock.close()
    assert not is_open(copy)
    socket.create_connection(original.getsockname(), timeout=10).close()


def test_the_queue_is_made_as_long_as_that_of_sockets_of_the_exporter_s_own(resources: ExitStack) -> None:
    original = resources.enter_context(listener())  # a queue of 1
    (sock,) = inherit([(os.dup(original.fileno()), "x")])
    resources.enter_context(sock)

    for _ in range(100):
        resources.enter_context(socket.create_connection(sock.getsockname(), timeout=0.9))


def test_no_passed_socket_is_refused_with_what_to_start() -> None:
    with pytest.raises(NoPassedSocket) as refused:
        inherit([])

    assert (
        "--web.systemd-socket, but systemd passed no socket; start the exporter by its socket unit "
        "(systemctl start fail2ban-exporter.socket), or leave that setting out" == str(refused.value)
    )


def _connected() -> socket.socket:
    with listener() as sock:
        return socket.create_connection(sock.getsockname(), timeout=10)


def _pipe() -> int:
    reader, writer = os.pipe()
    os.close(writer)
    return reader


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(_pipe, "is no socket", id="a FIFO"),
        pytest.param(
            lambda: listener(socket.AF_UNIX).detach(),
            "is of AF_UNIX and SOCK_STREAM, not TCP: give ListenStream= a port",
            id="a UNIX socket",
        ),
        pytest.param(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach(),
            "is of AF_INET and SOCK_DGRAM, not TCP: give ListenStream= a port",
            id="UDP",
        ),
        pytest.param(lambda: _connected().detach(), "does not listen: Accept= must be no", id="a connection"),
    ],
)
def test_what_can_not_be_listened_on_is_named_and_all_that_was_passed_is_closed(make: object, why: str) -> None:
    assert callable(make)
    good, bad, unseen = listener().detach(), make(), listener().detach()

    with pytest.raises(NoPassedSocket) as refused:
        inherit([(good, "http"), (bad, "odd"), (unseen, "more")])

    assert f"--web.systemd-socket: descriptor {bad}, which systemd passed as 'odd', {why}" == str(refused.value)
    assert [is_open(descriptor) for descriptor in (good, bad, unseen)] == [False] * 3


def test_passed_descriptors_have_names_and_no_child_inherits_them(
    monkeypatch: pytest.MonkeyPatch, resources: ExitStack
) -> None:
    first, second = resources.enter_context(listener()), resources.enter_context(listener())
    lowest = min(first.fileno(), second.fileno())
    assert abs(first.fileno() - second.fileno()) == 1
    for sock in (first, second):
        sock.set_inheritable(True)
    monkeypatch.setattr(inherited, "FIRST_DESCRIPTOR", lowest)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http", "HOME": "/root"}

    passed = take_passed(environ)

    assert passed == [(lowest, "http"), (lowest + 1, "unknown")]
    assert environ == {"HOME": "/root"}
    assert not first.get_inheritable()
    assert not second.get_inheritable()


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="started by hand"),
        pytest.param({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, id="for another process"),
        pytest.param({"LISTEN_FDS": "1"}, id="for nobody"),
        pytest.param({"LISTEN_PID": str(os.getpid())}, id="no count"),
        pytest.param({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "one"}, id="no number"),
        pytest.param({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"}, id="negative"),
        pytest.param({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "9" * 30}, id="absurd"),
    ],
)
def test_variables_that_are_not_meant_for_this_process_pass_nothing(variables: dict[str, str]) -> None:
    assert take_passed(variables) == []


def test_a_descriptor_that_is_not_there_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inherited, "FIRST_DESCRIPTOR", 900)

    assert take_passed({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}) == []


def test_started_by_hand_with_the_setting_the_program_says_what_to_start() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "--web.systemd-socket"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "systemctl start fail2ban-exporter.socket" in done.stderr
    assert "Traceback" not in done.stderr
