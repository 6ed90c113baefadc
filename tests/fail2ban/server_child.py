"""A fake fail2ban in a process of its own, which can end in every way that a process can."""

import os
import signal
import sys
from pathlib import Path

from tests.ended import ChildProcess
from tests.fakes import FakeServer, Honest, silent


class ServerChild(ChildProcess):
    """The process, as a context manager; whatever happened to it, it is ended.

    Its end is asked for by its parent (`reap`) as late as a test wants.
    """

    def __init__(self, path: Path) -> None:
        super().__init__([sys.executable, "-m", "tests.fail2ban.server_child", str(path)])
        self.pid = self._process.pid
        self._heard()

    def drop(self) -> None:
        """Close all connections and serve on."""
        self._tell("drop")
        self._heard()

    def hang(self) -> None:
        """Close all connections, and answer no more on new ones."""
        self._tell("hang")
        self._heard()

    def freeze(self) -> None:
        """Keep all connections, and do nothing any more."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def kill(self, *, reap: bool = True) -> None:
        """End as by a crash: the socket stays."""
        self._process.kill()
        self._gone(reap=reap)

    def fail(self, *, reap: bool = True) -> None:
        """End with exit status 3; the socket stays."""
        self._tell("fail")
        self._gone(reap=reap)

    def stop(self, *, reap: bool = True) -> None:
        """Remove the socket, and end with exit status 0, as fail2ban does."""
        self._tell("stop")
        self._gone(reap=reap)

    def terminate(self, *, reap: bool = True) -> None:
        """End by SIGTERM with its default action, as fail2ban by a second one while it stops; the socket goes first."""
        self._tell("unlink")
        self._heard()
        self._process.terminate()
        self._gone(reap=reap)

    def reap(self) -> None:
        """Ask for the exit status, as a parent should."""
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _heard(self) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == "done\n"

    def _gone(self, *, reap: bool) -> None:
        """Wait until the process has ended, which is known before it is reaped."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if reap:
            self.reap()


def main(path: Path) -> None:
    """Serve, and do what is asked for, one word a line."""
    path.unlink(missing_ok=True)
    server = FakeServer(Honest(), path)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    for line in sys.stdin:
        match line.strip():
            case "drop":
                server.drop_all()
            case "hang":
                server.script = silent
                server.drop_all()
            case "fail":
                os._exit(3)
            case "unlink":
                path.unlink()
            case "stop":
                path.unlink()
                os._exit(0)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
