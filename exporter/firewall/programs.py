"""Runs the firewall's programs: by absolute path, without a shell, bounded in time and output. They only list."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exporter.errors import ExporterError
from exporter.model import FirewallFault

SEARCHED: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
"""Folders that programs are taken from, whatever the exporter's own environment says."""
MAX_SECONDS: Final = 10.0
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of one listing; 20,000 addresses take 0.4 MB in nftables and 1.5 MB in iptables."""
_MAX_ERROR_BYTES: Final = 64 * 1024
_CHUNK: Final = 256 * 1024
_DENIED: Final = ("not permitted", "permission denied", "must be root", "can't open socket to ipset")
_NOT_THERE: Final = ("no such file or directory", "no chain/target/match by that name", "does not exist")


class FirewallError(ExporterError):
    """The firewall could not be read."""

    def __init__(self, fault: FirewallFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def run(name: str, *arguments: str) -> str | None:
    """Run a program and return what it prints; None if it says that what it is to list is not there.

    Args:
        name: of a program in one of the folders of `SEARCHED`.
        arguments: nothing in them is taken for anything but what it is, since there is no shell.

    Raises:
        FirewallError: there is no such program, it may not look, it failed, or it took or printed too much.
    """
    path = next((f"{folder}/{name}" for folder in SEARCHED if os.access(f"{folder}/{name}", os.X_OK)), None)
    if path is None:
        raise FirewallError(
            FirewallFault.PROGRAM_MISSING,
            f"no program {name} in {':'.join(SEARCHED)}: fail2ban bans by it, so install it where the exporter runs",
        )
    status, printed, complaint = _run([path, *arguments])
    if status == 0:
        return printed
    text = complaint.lower()
    if any(words in text for words in _DENIED):
        raise FirewallError(FirewallFault.PERMISSION_DENIED, f"{name} may not look: {_NEEDS}")
    if any(words in text for words in _NOT_THERE):
        return None
    said = " ".join(complaint.split())[:200] or "nothing"
    raise FirewallError(FirewallFault.PROGRAM_FAILED, f"{name} ended with status {status} and said: {said!r}")


_NEEDS: Final = (
    "the exporter needs CAP_NET_ADMIN to read the firewall, and CAP_NET_RAW too where fail2ban bans by ipset or by the "
    "older iptables; as a service, the drop-in firewall-check.conf gives both"
)
_CAP_NET_ADMIN: Final = 12


def check_capability() -> None:
    """Tell early and clearly when the exporter has not the right to look.

    Raises:
        FirewallError: it has not.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        if not int(status.split("CapEff:")[1].split()[0], 16) >> _CAP_NET_ADMIN & 1:
            raise FirewallError(FirewallFault.PERMISSION_DENIED, _NEEDS)


def _run(words: Sequence[str]) -> tuple[int, str, str]:
    """Return the exit status, standard output and standard error."""
    try:
        process = subprocess.Popen(  # noqa: S603  # an absolute path, and names that were checked
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"LC_ALL": "C", "PATH": ":".join(SEARCHED)},
            start_new_session=True,
        )
    except OSError as error:
        raise FirewallError(FirewallFault.PROGRAM_FAILED, f"{words[0]} can't be run: {error.strerror}") from None
    with process:
        try:
            printed, complaint = _outputs(process, words[0])
            return process.wait(MAX_SECONDS), printed, complaint
        except subprocess.TimeoutExpired:
            raise _too_slow(words[0]) from None
        finally:
            # With whatever it has started; it has not been waited for, so the number is still its own.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _outputs(process: subprocess.Popen[bytes], name: str) -> tuple[str, str]:
    deadline = time.monotonic() + MAX_SECONDS
    printed, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, into in ((process.stdout, printed), (process.stderr, complaint)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, into)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise _too_slow(name)
            for key, _ in ready:
                received = os.read(key.fd, _CHUNK)
                if not received:
                    selector.unregister(key.fileobj)
                key.data.extend(received)
            if len(printed) > MAX_BYTES:
                raise FirewallError(FirewallFault.PROGRAM_FAILED, f"{name} printed over {MAX_BYTES // 1024**2} MiB")
            del complaint[_MAX_ERROR_BYTES:]
    return printed.decode("utf-8", "replace"), complaint.decode("utf-8", "replace")


def _too_slow(name: str) -> FirewallError:
    return FirewallError(FirewallFault.PROGRAM_FAILED, f"{name} did not end within {MAX_SECONDS:g} s")
