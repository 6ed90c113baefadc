"""A real fail2ban server for tests: started, made to ban by failures in a log file, stopped, killed, frozen.

It runs beside others and beside the machine's own: its configuration, log, database and socket are in folders of its
own. The tests' own process unpickles its replies, which only a test that started the server itself may do.
"""

import io
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.ended import Ended
from tests.fail2ban_configuration import Configuration, Jail
from tests.fakes import short_folder
from tests.programs import Fail2banInstall
from tests.waiting import DEADLINE, wait_until

__all__ = ["ErrorReply", "Jail", "RealFail2ban"]

_END = b"<F2B_END_COMMAND>"
_CLOSE = b"<F2B_CLOSE_COMMAND>"

_COMPLAINT = re.compile(r"\]: (WARNING|ERROR|CRITICAL)\s")
# A first start makes the database; a start after a kill finds the old socket.
_OF_EVERY_START = re.compile(
    r"New database created|Fail2ban seems to be already running|Forcing execution of the server"
)


class ErrorReply(Exception):  # noqa: N818 - what a reply holds, not what a test raises
    """An exception of a class of fail2ban's own, as an error reply holds it."""


class RealFail2ban(Ended):
    """One server, and all that a test does to it.

    Every wait has a deadline and raises AssertionError past it.

    Attributes:
        version: Such as `1.1.0`.
        folder: Where the configuration, the database and the logs are.
        socket: The server's socket, in a short-named folder of its own, since its path may have 107 bytes at most.
        log: fail2ban's own log.
        pidfile: Beside the socket.
        config: The configuration folder, for `fail2ban-client -c`.
        dbfile: The database, or None.
    """

    def __init__(self, install: Fail2banInstall, folder: Path, jails: Iterable[Jail], *, database: bool = True) -> None:
        self._install = install
        self._files = Configuration(folder, short_folder(), database)
        self.version = install.version
        self.folder = folder
        self.config = self._files.config
        self.socket = self._files.socket
        self.pidfile = self._files.pidfile
        self.log = self._files.log
        self.dbfile = self._files.dbfile
        self._output = folder / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._output_before = 0
        self._jails: dict[str, Jail] = {}
        self.configure(jails)

    def configure(self, jails: Iterable[Jail]) -> None:
        """Write the configuration, with exactly these jails. A running server takes it up when told to reload."""
        self._jails = {jail.name: jail for jail in jails}
        self._files.write(self._jails.values())

    def log_path(self, jail: str) -> Path:
        """The file that a jail watches."""
        return self._files.log_path(jail)

    # -- the process

    @property
    def pid(self) -> int:
        """The server's process, also after its end."""
        return self._started().pid

    @property
    def exit_status(self) -> int | None:
        """As subprocess gives it: negative for a signal; None while it runs."""
        return self._started().returncode

    def start(self, *, wait: bool = True) -> None:
        """Start the server.

        Args:
            wait: Return when it answers and has all its enabled jails; else at once, which is for one that will refuse.
        """
        if self._process is not None and self.exit_status is None:
            raise AssertionError("it runs already")
        self._forget_process()
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        with self._output.open("ab") as output:
            self._output_before = output.tell()
            process = subprocess.Popen(
                # -x: after a kill the old socket is still there, and it would refuse to start
                [*self._install.server, "-c", str(self.config), "-xf", "start"],
                cwd=self.folder,
                env=self._install.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        # Signals go by this descriptor: the number alone may by then belong to another process.
        self._pidfd = os.pidfd_open(process.pid)
        self._process = process
        # Reaped the moment it ends: until then the kernel keeps its exit status from others, and its pid lives on.
        threading.Thread(target=process.wait, name=f"reaper-{process.pid}", daemon=True).start()
        if wait:
            wait_until(self._is_up, lambda: f"fail2ban {self.version} starts: {self.tail()}")

    def stop(self) -> None:
        """End it in an orderly way, as systemd would, and wait for the end."""
        self.signal(signal.SIGTERM)
        self.wait_exit()

    def kill(self) -> None:
        """End it as a crash does: nothing is cleaned up. Returns when the process is gone."""
        self.signal(signal.SIGKILL)
        self.wait_exit()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def sigstop(self) -> None:
        """Freeze it: it listens and answers nothing."""
        self.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        wait_until(lambda: stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T", "it is frozen")

    def sigcont(self) -> None:
        """Let a frozen one go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process; none is sent when it has ended."""
        self._started()
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def wait_exit(self) -> int:
        """Wait for the end of the process; its exit status."""
        wait_until(lambda: self.exit_status is not None, lambda: f"fail2ban {self.version} ends: {self.tail()}")
        return self._started().wait()

    def close(self) -> None:
        """End what runs and remove the socket's folder. For the end of a test, whatever happened in it."""
        if self._process is not None:
            self.kill()
        self._forget_process()
        shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    def _forget_process(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pidfd, self._process = -1, None

    def _is_up(self) -> bool:
        if self.exit_status is not None:
            raise AssertionError(f"fail2ban {self.version} ended with {self.exit_status}: {self.tail()}")
        try:
            enabled = sum(jail.enabled for jail in self._jails.values())
            answers = self.ask(["ping"]) == (0, "pong")
            # Stopped before it says that it is ready, it ends with 255 instead of 0.
            return answers and self._says_ready() and self.ask(["status"])[1][0] == ("Number of jail", enabled)
        except (OSError, EOFError):
            return False

    def _says_ready(self) -> bool:
        with self._output.open("rb") as output:
            output.seek(self._output_before)
            return b"Server ready" in output.read()

    # -- what happens to it, and what it says

    def fail(self, jail: str, ip: str, times: int | None = None) -> None:
        """Write failures of an address, of this very moment, to a jail's log file; as many as bring a ban if None."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
        count = self._jails[jail].maxretry if times is None else times
        with self.log_path(jail).open("a", encoding="utf-8") as log:
            log.write(f"{stamp} app: bad login from {ip}\n" * count)

    def wait_banned(self, jail: str, *ips: str) -> None:
        """Wait until fail2ban itself has banned the addresses in a jail."""
        wait_until(lambda: set(ips) <= set(self.banned(jail)), lambda: f"{ips} banned in {jail}: {self.tail()}")

    def banned(self, jail: str) -> list[str]:
        """The addresses that a jail bans now."""
        code, value = self.ask(["status", jail])
        assert code == 0, value
        return [str(ip) for ip in dict(dict(value)["Actions"])["Banned IP list"]]

    def client(self, *args: str, check: bool = True) -> str:
        """What this version's own fail2ban-client prints; its exit status must be 0 unless `check` is off."""
        done = subprocess.run(
            [*self._install.client, "-c", str(self.config), *args],
            cwd=self.folder,
            env=self._install.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert not check or done.returncode == 0, f"fail2ban-client {args}: {done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, command: list[str], seconds: float = 5.0) -> tuple[int, Any]:
        """Send a command and return the reply: `(0, value)` or `(1, exception)`.

        Raises:
            OSError: As `ask_raw` does.
            EOFError: As `ask_raw` does, and when it says that it is shutting down.
        """
        reply = _Replies(io.BytesIO(self.ask_raw(command, seconds))).load()
        if reply == ["SHUTDOWN"]:  # all versions, to whoever asks in their last moments
            raise EOFError(f"it answered {reply!r}")
        return reply[0], reply[1]

    def ask_raw(self, command: list[str], seconds: float = 5.0) -> bytes:
        """The same, as the bytes that the server sent, less the end mark.

        Raises:
            OSError: Nothing listens, or it did not answer in time.
            EOFError: It ended the connection.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self.socket))
            connection.sendall(pickle.dumps(command, 2) + _END)
            reply = b""
            while not reply.endswith(_END):
                part = connection.recv(65536)
                if not part:
                    raise EOFError(f"the connection ended after {reply!r}")
                reply += part
            connection.sendall(_CLOSE + _END)
        return reply.removesuffix(_END)

    def log_lines(self) -> list[str]:
        """fail2ban's own log."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def complaints(self) -> list[str]:
        """The lines at WARNING or above of fail2ban's own log, over all its starts, less those of every start."""
        return [line for line in self.log_lines() if _COMPLAINT.search(line) and not _OF_EVERY_START.search(line)]

    def tail(self) -> str:
        """The last lines of its log and output, for messages."""
        output = self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""
        return "\n".join(["", *self.log_lines()[-5:], *output.splitlines()[-5:]])


class _Replies(pickle.Unpickler):
    """fail2ban's own classes can't be imported here; its errors come out as `ErrorReply`."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("fail2ban."):
            return type(name, (ErrorReply,), {})
        return super().find_class(module, name)
