"""A fake fail2ban: a server on a UNIX socket, for all that a real one won't do on demand."""

import pickle
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exporter.fail2ban.deadline import Deadline

END = b"<F2B_END_COMMAND>"
# What sockaddr_un holds, less the name of the socket itself.
_SHORT_FOLDER = 80


def short_folder() -> Path:
    """Make a folder whose path leaves room for a socket in it; who made it removes it."""
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="f2b-", dir=parent if len(parent) < _SHORT_FOLDER else "/tmp"))  # noqa: S108


class FakeServer:
    """Listens on a socket, and has a script for every connection, which runs in a thread of its own.

    Use it as a context manager: at the end every thread has ended, whatever its script was at, and an error of a script
    is raised. The socket's folder goes too, unless it was given.

    Attributes:
        path: The socket.
        script: Takes the next connection; may be replaced at any time.
        requests: All commands that arrived, in order, over all connections.
        connections: How many were accepted.
    """

    def __init__(self, script: "Script", path: Path | None = None) -> None:
        self._folder = short_folder() if path is None else None
        self.path = path or Path(f"{self._folder}/fail2ban.sock")
        self.script = script
        self.requests: list[list[str]] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._errors: list[Exception] = []
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(1)  # as fail2ban
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._errors and kind is None:
            raise self._errors[0]

    def close(self) -> None:
        """End all connections and stop listening; the socket stays behind, as after a crash."""
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.drop_all()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def drop_all(self) -> None:
        """End all connections, and go on listening."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._converse, args=(connection, self.script), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _converse(self, connection: socket.socket, script: "Script") -> None:
        try:
            script(Conversation(connection, self))
        except OSError:  # the client has gone, or the test has ended
            pass
        except Exception as error:  # noqa: BLE001 - raised again by the test's own thread
            self._errors.append(error)
        finally:
            self._open.remove(connection)
            connection.close()


class Conversation:
    """One connection as a script sees it; when the script returns, the connection is closed.

    Everything here raises OSError when the client has gone or the test has ended, which ends the script.
    """

    def __init__(self, connection: socket.socket, server: FakeServer) -> None:
        self._connection = connection
        self._server = server
        self._received = bytearray()

    def request(self) -> list[str]:
        """Wait for the next command."""
        while END not in self._received:
            if not (chunk := self._connection.recv(65_536)):
                raise ConnectionResetError
            self._received += chunk
        request, _, rest = bytes(self._received).partition(END)
        self._received[:] = rest
        command: list[str] = pickle.loads(request)  # noqa: S301 - of the client that is tested, in the same process
        self._server.requests.append(command)
        return command

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(data)

    def reply(self, reply: bytes) -> None:
        """Send a reply, with its end mark."""
        self.send(reply + END)

    def drip(self, data: bytes, seconds: float) -> None:
        """Send one byte, wait so long, send the next."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self._server.stopping.wait(seconds):
                return

    def hold(self) -> None:
        """Say nothing until the client has gone."""
        while self._connection.recv(65_536):
            pass


Script = Callable[[Conversation], None]


def good(value: Any) -> bytes:
    """The reply `(0, value)`."""
    return pickle.dumps((0, value), protocol=5)


class UnknownJailException(Exception):  # noqa: N818 - as fail2ban calls it
    """What fail2ban answers to a question about a jail that it does not have."""


def bad(error: Exception) -> bytes:
    """The reply `(1, error)`."""
    return pickle.dumps((1, error), protocol=5)


@dataclass(frozen=True)
class FakeJail:
    """What an honest fake says of one jail."""

    failed: int = 1
    failures: int = 5
    banned: int = 2
    bans: int = 3
    backend: str = "polling"
    log_files: tuple[str, ...] = ("/var/log/auth.log",)
    bantime: float = 600
    findtime: float = 300
    maxretry: int = 4
    actions: tuple[str, ...] = ("nftables",)
    addresses: tuple[str, ...] = ()


@dataclass
class Honest:
    """A script that answers as fail2ban does: `stats` from 1.1.0 on, `status JAIL short` from 0.11 on.

    Attributes:
        replies: What to answer instead, by command.
    """

    jails: Mapping[str, FakeJail] = field(default_factory=lambda: {"sshd": FakeJail()})
    version: str = "1.1.1"
    database: str | None = None
    replies: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    def __call__(self, conversation: Conversation) -> None:
        """Answer all commands of one connection."""
        while True:
            conversation.reply(self.answer(conversation.request()))

    def answer(self, command: list[str]) -> bytes:
        """The reply to one command."""
        if tuple(command) in self.replies:
            return self.replies[tuple(command)]
        match command:
            case ["status" | "get", name, *what] if name != "dbfile":
                jail = self.jails.get(name)
                return bad(UnknownJailException(name)) if jail is None else self._of_jail(jail, command[0], what)
            case _:
                return self._of_server(command)

    def _of_server(self, command: list[str]) -> bytes:
        answers: dict[tuple[str, ...], Any] = {
            ("version",): self.version,
            ("status",): [("Number of jail", len(self.jails)), ("Jail list", ", ".join(self.jails))],
            ("get", "dbfile"): self.database,
        }
        if self.version.startswith("1.1"):
            answers["stats",] = {name: _stats(jail) for name, jail in self.jails.items()}
        return good(answers[tuple(command)]) if tuple(command) in answers else bad(Exception("Invalid command"))

    def _of_jail(self, jail: FakeJail, verb: str, what: list[str]) -> bytes:
        match verb, what:
            case "status", []:
                return good(_status(jail, with_addresses=True))
            case "status", ["short"] if not self.version.startswith("0.10"):
                return good(_status(jail, with_addresses=False))
            case "get", ["banip", "--with-time"]:
                return good([f"{ip} \t2020-01-02 03:04:05 + -1 = 9999-12-31 23:59:59" for ip in jail.addresses])
            case "get", [("logpath" | "actions") as setting]:
                return good(list(jail.log_files if setting == "logpath" else jail.actions))
            case "get", [("bantime" | "findtime" | "maxretry") as setting]:
                return good(getattr(jail, setting))
            case _:
                return bad(Exception("Invalid command"))


def _stats(jail: FakeJail) -> list[Any]:
    return [jail.backend, (jail.failed, jail.failures), (jail.banned, jail.bans)]


def _status(jail: FakeJail, *, with_addresses: bool) -> list[Any]:
    watched = ("Journal matches", []) if jail.backend == "systemd" else ("File list", list(jail.log_files))
    banned = [("Currently banned", jail.banned), ("Total banned", jail.bans)]
    addresses = [("Banned IP list", list(jail.addresses))] if with_addresses else []
    return [
        ("Filter", [("Currently failed", jail.failed), ("Total failed", jail.failures), watched]),
        ("Actions", banned + addresses),
    ]


def silent(conversation: Conversation) -> None:
    """A script that says nothing."""
    conversation.hold()


def replying(reply: bytes) -> Script:
    """A script that answers each request with this reply."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.reply(reply)

    return script


def sending(data: bytes) -> Script:
    """A script that answers the first request with these bytes, and says no more."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(data)
        conversation.hold()

    return script


def closing_after(data: bytes) -> Script:
    """A script that answers the first request with these bytes and closes."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(data)

    return script


def in_turn(*scripts: Script) -> Script:
    """A script for the first connection, one for the second and so on; the last one for all others."""
    left: list[Script] = list(scripts)

    def script(conversation: Conversation) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(conversation)

    return script


def nested_pairs(depth: int) -> bytes:
    """The opcodes of a tuple of itself twice, so many levels deep: to hash or to print it takes for ever."""
    return b")" + b"".join(b"\x94h" + bytes([level]) + b"\x86" for level in range(depth))


def opcodes(*parts: bytes | Iterable[bytes]) -> bytes:
    """A pickle of protocol 4 made by hand."""
    return b"\x80\x04" + b"".join(part if isinstance(part, bytes) else b"".join(part) for part in parts) + b"."


class FakeConnection:
    """Stands for a connection where only the values matter: each command has its reply, already interpreted.

    Attributes:
        requests: All commands that were asked, in order.
    """

    def __init__(self, answer: Callable[[list[str]], Any]) -> None:
        self._answer = answer
        self.requests: list[list[str]] = []

    def ask(self, command: list[str], _deadline: Deadline) -> Any:
        """Return the reply to one command."""
        self.requests.append(command)
        return self._answer(command)

    def ask_all(self, commands: Iterable[list[str]], deadline: Deadline) -> Iterator[Any]:
        """Yield the replies to all commands."""
        return (self.ask(command, deadline) for command in commands)
