"""A network of a test's own, with a firewall of its own: nothing in it touches the machine's."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tests.ended import Ended

_NEW_NET = 0x40000000
# Mounted over in a mount namespace of the test's own: there the tools are installed, and nowhere else.
_TOOLS_FOLDER = "/usr/local/sbin"
_PATH = f"{_TOOLS_FOLDER}:/usr/sbin:/usr/bin:/sbin:/bin"
_HOLD = 'mount --bind "$1" "$2" && ip link set lo up && eval "$3" && echo ready && exec sleep infinity'
_MORE_LINKS = "ip link add guard0 type veth peer name guard1"

_Result = TypeVar("_Result")


class NetworkNamespace(Ended):
    """A network namespace, and a mount namespace in which the firewall's tools are installed. Needs root.

    Attributes:
        environment: For programs that call the tools.
    """

    def __init__(self, tools: Path, *, more_links: bool = True) -> None:
        """Make it.

        Args:
            tools: The folder of the tools that are installed in it.
            more_links: Whether it has more than loopback, as the network of a host does.
        """
        self._holder = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "sh",
                "-c",
                _HOLD,
                "sh",
                str(tools),
                _TOOLS_FOLDER,
                _MORE_LINKS if more_links else "true",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.environment = {"PATH": _PATH}
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            complaint = self._holder.stderr.read()
            self.close()
            raise AssertionError(f"no network namespace, which takes root: {complaint}")

    def close(self) -> None:
        """End it. The kernel removes it with all that is in its firewall once the last process in it has ended."""
        self._holder.kill()
        self._holder.communicate()

    def prefix(self, *, tools: bool = True) -> list[str]:
        """What goes before a program's words so that it runs in here; `tools` off: where none are installed."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", *(["--mount"] if tools else []), "--"]

    def run(self, *words: str, text: str = "") -> str:
        """Run a program in here, to its end, which must be a good one; return what it prints."""
        done = subprocess.run(
            [*self.prefix(), *words],
            input=text,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, function: Callable[[], _Result]) -> _Result:
        """Call a function on a thread that is in here: what it connects to is in here, too."""
        results: list[_Result] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                self._enter()
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again, on the caller's thread
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self) -> None:
        descriptor = os.open(Path(f"/proc/{self._holder.pid}/ns/net"), os.O_RDONLY)
        try:
            # os.setns came with Python 3.12. It is for the calling thread alone.
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)


def without_capability(name: str) -> Sequence[str]:
    """What goes before a program's words so that it runs as it would, less one of root's capabilities."""
    return ["setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}", "--"]
