"""Requests go out at once and only if they only read; replies come in whole, in order and in time, or not at all."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from exporter.fail2ban import commands
from exporter.fail2ban import connection as connection_module
from exporter.fail2ban.connection import MAX_REPLY_BYTES, Connection
from exporter.fail2ban.deadline import Deadline
from exporter.fail2ban.failures import (
    AccessDeniedError,
    ConnectionEndedError,
    ConnectionRefusedByServerError,
    ProbeTimeoutError,
    ProtocolError,
    SocketMissingError,
    from_os_error,
)
from exporter.model import Result
from tests.fail2ban.test_commands import REFUSED
from tests.fakes import END, Conversation, FakeServer, Honest, good, replying, sending
from tests.waiting import wait_until

PLENTY = 30.0


def connected(server: FakeServer) -> Connection:
    """A connection to it."""
    return Connection(str(server.path), Deadline.after(PLENTY))


@pytest.mark.parametrize("command", REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_only_read_never_reaches_the_socket(command: list[str]) -> None:
    with FakeServer(Honest()) as server, closing(connected(server)) as connection:
        with pytest.raises(AssertionError, match="not a read-only command"):
            connection.ask(command, Deadline.after(PLENTY))
        with pytest.raises(AssertionError, match="not a read-only command"):
            list(connection.ask_all([commands.VERSION, command], Deadline.after(PLENTY)))
        connection.ask(commands.STATUS, Deadline.after(PLENTY))

        assert server.requests == [["status"]]


def test_replies_come_in_the_order_of_the_requests() -> None:
    with FakeServer(Honest(version="1.0.2")) as server, closing(connected(server)) as connection:
        replies = list(connection.ask_all([commands.VERSION, commands.DATABASE_FILE] * 3, Deadline.after(PLENTY)))

    assert replies == [(0, "1.0.2"), (0, None)] * 3


def test_all_requests_are_written_before_the_first_reply() -> None:
    """Else fifty jails cost fifty round trips."""

    def script(conversation: Conversation) -> None:
        for _ in range(50):
            conversation.request()
        for number in range(50):
            conversation.reply(good(number))
        conversation.hold()

    with FakeServer(script) as server, closing(connected(server)) as connection:
        replies = list(connection.ask_all([commands.STATS] * 50, Deadline.after(PLENTY)))

    assert replies == [(0, number) for number in range(50)]


def test_what_else_there_is_to_do_is_done_while_the_server_works() -> None:
    """Else a probe takes as long as both together."""
    done = threading.Event()

    def script(conversation: Conversation) -> None:
        conversation.request()
        assert done.wait(PLENTY)
        conversation.reply(good("pong"))
        conversation.hold()

    with FakeServer(script) as server, closing(connected(server)) as connection:
        connection.meanwhile = done.set

        assert connection.ask(commands.PING, Deadline.after(PLENTY)) == (0, "pong")


def test_more_requests_and_replies_than_the_kernel_holds_do_not_block_each_other() -> None:
    number = 30_000
    reply = good("x" * 100)
    with FakeServer(replying(reply)) as server, closing(connected(server)) as connection:
        replies = sum(
            1 for _ in connection.ask_all([commands.property_of("sshd", "bantime")] * number, Deadline.after(PLENTY))
        )

    assert replies == number


@pytest.mark.parametrize("size", range(1, 120))
def test_a_reply_is_whole_wherever_the_stream_is_cut(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_CHUNK", size)
    text = "a long reply <F2B_END with a part of the mark"
    stream = good(text) + END + (good("pong") + END) * 2

    with FakeServer(sending(stream)) as server, closing(connected(server)) as connection:
        replies = list(connection.ask_all([commands.PING] * 3, Deadline.after(PLENTY)))

    assert replies == [(0, text), (0, "pong"), (0, "pong")]


def test_a_reply_in_a_hundred_thousand_pieces_costs_no_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_CHUNK", 16)
    text = "<F2B_END_COMMAND" * 100_000  # which takes long to search for the mark

    with FakeServer(sending(good(text) + END)) as server, closing(connected(server)) as connection:
        started = time.thread_time()
        reply = connection.ask(commands.PING, Deadline.after(PLENTY))
        seconds = time.thread_time() - started

    assert reply == (0, text)
    assert seconds < 10.0


def test_a_reply_of_4_mib_is_taken_and_a_larger_one_is_not() -> None:
    most = good("x" * (MAX_REPLY_BYTES - 300_000))
    with FakeServer(replying(most)) as server, closing(connected(server)) as connection:
        assert connection.ask(commands.PING, Deadline.after(PLENTY)) == (0, "x" * (MAX_REPLY_BYTES - 300_000))

    with (
        FakeServer(sending(good("x" * MAX_REPLY_BYTES) + b"x" * 1_000_000)) as server,
        closing(connected(server)) as connection,
        pytest.raises(ProtocolError, match="a reply of over 4 MiB"),
    ):
        connection.ask(commands.PING, Deadline.after(PLENTY))


def test_a_connection_that_ends_says_so() -> None:
    with FakeServer(lambda _conversation: None) as server, closing(connected(server)) as connection:
        wait_until(connection.has_ended, "the end is seen")
        with pytest.raises(ConnectionEndedError, match="closed the connection before it had answered"):
            connection.ask(commands.PING, Deadline.after(PLENTY))


def test_a_quiet_connection_has_not_ended_and_has_no_stray_bytes() -> None:
    with FakeServer(Honest()) as server, closing(connected(server)) as connection:
        connection.ask(commands.VERSION, Deadline.after(PLENTY))

        assert not connection.has_ended()
        assert not connection.has_stray_bytes()


@pytest.mark.parametrize("at_once", [True, False])
def test_bytes_that_nobody_asked_for_are_noticed(at_once: bool) -> None:  # noqa: FBT001 - a parameter of the test
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(good("pong") + END + (b"stray" if at_once else b""))
        if not at_once:
            conversation.send(b"stray")
        conversation.hold()

    with FakeServer(script) as server, closing(connected(server)) as connection:
        connection.ask(commands.PING, Deadline.after(PLENTY))
        wait_until(connection.has_stray_bytes, "the stray bytes are seen")

        assert not connection.has_ended()


def test_closing_twice_is_fine() -> None:
    with FakeServer(Honest()) as server:
        connection = connected(server)
        connection.close()
        connection.close()


def test_the_deadline_holds_for_all_requests_together() -> None:
    """Else fifty slow replies take fifty timeouts."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.drip(good("pong") + END, 0.002)

    with FakeServer(script) as server, closing(connected(server)) as connection:
        started = time.monotonic()
        with pytest.raises(ProbeTimeoutError, match="no complete answer within"):
            list(connection.ask_all([commands.PING] * 1000, Deadline.after(0.3)))

        assert time.monotonic() - started < 0.8


# -- connecting


class Listener:
    """A listening socket that nobody accepts from."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(0)
        self._waiting = socket.socket(socket.AF_UNIX)
        self._waiting.connect(str(path))

    def close(self) -> None:
        """Stop listening; the socket stays."""
        self.socket.close()
        self._waiting.close()


def test_a_server_that_accepts_nobody_is_tried_until_the_deadline(folder: Path) -> None:
    started = time.monotonic()

    with closing(Listener(folder / "sock")), pytest.raises(ProbeTimeoutError):
        Connection(str(folder / "sock"), Deadline.after(0.2))

    assert 0.2 <= time.monotonic() - started < 0.7


def test_a_server_that_accepts_late_is_reached(folder: Path) -> None:
    with closing(Listener(folder / "sock")) as listener:
        accepted: list[socket.socket] = []
        late = threading.Timer(0.1, lambda: accepted.append(listener.socket.accept()[0]))
        late.start()
        try:
            Connection(str(folder / "sock"), Deadline.after(PLENTY)).close()
        finally:
            late.join()
            for connection in accepted:
                connection.close()


def nothing(_path: Path) -> None:
    """Leave it missing."""


def a_loop(path: Path) -> None:
    """Make a link to itself."""
    path.symlink_to(path)


def a_dead_link(path: Path) -> None:
    """Make a link to nothing."""
    path.symlink_to(path.with_name("nothing"))


def a_dead_socket(path: Path) -> None:
    """Leave a socket behind."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def datagrams(path: Path) -> None:
    """Leave a socket for datagrams behind, which is of the wrong type whether somebody listens or not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (nothing, SocketMissingError, "no socket at {}: is fail2ban running, and is --fail2ban.socket right"),
        (a_loop, SocketMissingError, "no socket at {}"),
        (a_dead_link, SocketMissingError, "no socket at {}"),
        (a_dead_socket, ConnectionRefusedByServerError, "nothing listens on {}: fail2ban left its socket behind"),
        (Path.touch, ConnectionRefusedByServerError, "{} is no socket: is --fail2ban.socket right"),
        (Path.mkdir, ConnectionRefusedByServerError, "{} is no socket"),
        (datagrams, ConnectionRefusedByServerError, "nothing listens on {}"),
    ],
)
def test_a_path_where_nobody_listens_says_what_is_wrong_with_it(
    folder: Path, make: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    path = folder / "sock"
    make(path)

    with pytest.raises(error, match=message.format(path)):
        Connection(str(path), Deadline.after(PLENTY))


def test_a_file_for_a_folder_is_no_socket(folder: Path) -> None:
    (folder / "file").touch()

    with pytest.raises(SocketMissingError):
        Connection(str(folder / "file" / "sock"), Deadline.after(PLENTY))


def test_a_socket_of_another_type_is_not_fail2bans(folder: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as other:
        other.bind(str(folder / "sock"))
        other.listen()
        with pytest.raises(ProtocolError, match="a socket of another type"):
            Connection(str(folder / "sock"), Deadline.after(PLENTY))


def test_a_path_that_is_too_long_is_an_error_for_people(folder: Path) -> None:
    with pytest.raises(AccessDeniedError, match="path too long"):
        Connection(str(folder / ("x" * 200)), Deadline.after(PLENTY))


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (errno.ENOENT, Result.SOCKET_MISSING),
        (errno.ENOTDIR, Result.SOCKET_MISSING),
        (errno.ELOOP, Result.SOCKET_MISSING),
        (errno.ECONNREFUSED, Result.CONNECTION_REFUSED),
        (errno.EACCES, Result.PERMISSION_DENIED),
        (errno.EPERM, Result.PERMISSION_DENIED),
        (errno.ECONNRESET, Result.PROTOCOL_ERROR),
        (errno.EPIPE, Result.PROTOCOL_ERROR),
        (errno.EPROTOTYPE, Result.PROTOCOL_ERROR),
        (errno.EMFILE, Result.PERMISSION_DENIED),
        (errno.ENOBUFS, Result.PERMISSION_DENIED),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_each_error_of_the_system_has_its_result(number: int, result: Result) -> None:
    failure = from_os_error(OSError(number, os.strerror(number)), "/run/fail2ban/fail2ban.sock")

    assert result is failure.result
    assert "/run/fail2ban/fail2ban.sock" in str(failure)


def test_a_connection_that_fails_leaves_no_descriptor_open(folder: Path) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for _ in range(10):
        with pytest.raises(SocketMissingError):
            Connection(str(folder / "sock"), Deadline.after(PLENTY))

    assert before == sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_an_exporter_without_descriptors_left_says_nothing_about_fail2ban(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", exhausted)

    with pytest.raises(AccessDeniedError, match="Too many open files"):
        Connection("/run/fail2ban/fail2ban.sock", Deadline.after(PLENTY))
