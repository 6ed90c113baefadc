"""A Debian that runs: booted by systemd-nspawn, without a network to anywhere, and thrown away afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.ended import Ended
from tests.exporter_program import Samples, key, parse
from tests.waiting import wait_until

BOOT_SECONDS = 120.0
_COMMAND_SECONDS = 600.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_GET = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])) as answer:
    sys.stdout.buffer.write(answer.read())
"""


class Machine(Ended):
    """One booted Debian; ended with its block, whatever happened in it.

    Its files are those of a folder that stays as it is: what the machine writes goes to memory.
    """

    def __init__(
        self, root: Path, log: Path, *, binds: Mapping[Path, str], writable: Mapping[Path, str] | None = None
    ) -> None:
        """Boot.

        Args:
            root: The folder of a Debian with systemd and systemd-container, whose own nspawn boots it.
            log: Gets what nspawn and the boot say.
            binds: Folders of this machine, each with the path at which it is to be seen there, read-only.
            writable: The same, to be written to: for what is too much for memory.
        """
        self._log = log
        with log.open("wb") as output:
            self._nspawn = subprocess.Popen(
                [
                    # It ends with this process, however that ends, and its child with it.
                    *("setpriv", "--pdeathsig", "KILL", "--"),
                    *_nspawn(root),
                    f"--directory={root}",
                    f"--machine=fail2ban-exporter-test-{os.getpid()}",
                    "--volatile=overlay",
                    "--boot",
                    "--register=no",
                    "--keep-unit",
                    "--private-network",
                    "--console=pipe",
                    *(f"--bind-ro={path}:{target}" for path, target in binds.items()),
                    *(f"--bind={path}:{target}" for path, target in (writable or {}).items()),
                    *_init_arguments(),
                ],
                env={**os.environ, **_nspawn_environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._leader = 0
        try:
            wait_until(self._has_booted, lambda: f"Debian boots: {self.log()}", BOOT_SECONDS)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it at once, as a power cut does."""
        if self._nspawn.poll() is None:
            # Asked twice it ends without waiting for the machine, and takes away what it has mounted.
            for _ in range(2):
                self._nspawn.send_signal(signal.SIGTERM)
                try:
                    self._nspawn.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    continue
            else:
                self._nspawn.kill()
        self._nspawn.wait()

    def log(self) -> str:
        """What nspawn has said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def try_run(self, script: str) -> tuple[int, str]:
        """Run a shell script there, as root; its exit status and all that it said."""
        done = subprocess.run(
            [
                *("nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--"),
                *(
                    "/usr/bin/env",
                    "-i",
                    "--chdir=/",
                    f"PATH={_PATH}",
                    "HOME=/root",
                    "LC_ALL=C.UTF-8",
                    "/bin/sh",
                    "-ec",
                    script,
                ),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, script: str) -> str:
        """Run a shell script that must succeed; what it said, without the last line's end."""
        status, said = self.try_run(script)
        assert status == 0, f"{script}\nended with {status}:\n{said}"
        return said.rstrip("\n")

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --value --property={name} {unit}")

    def main_pid(self, unit: str) -> int:
        """The main process of a service, as a number of the machine's own; 0 for none."""
        return int(self.show(unit, "MainPID"))

    def journal(self, unit: str) -> str:
        """What a unit has logged, and systemd of it."""
        return self.run(f"journalctl --no-pager --output=short-precise --unit={unit}")

    def get(self, path: str, seconds: float = 20.0) -> str:
        """What the exporter answers to GET."""
        return self.run(_getting(path, seconds))

    def try_get(self, path: str) -> str | None:
        """The same; None if it does not answer, or not with 200."""
        status, said = self.try_run(_getting(path, 20.0))
        return said if status == 0 else None

    def scrape(self) -> Samples:
        """All samples of one scrape."""
        return parse(self.get("/metrics") + "\n")

    def value(self, name: str, **labels: str) -> float | None:
        """One sample's value, None where there is none."""
        return self.scrape().get(key(name, **labels))

    def wait_for(self, name: str, value: float | None, seconds: float = 60.0, **labels: str) -> float:
        """Wait until a sample has a value (None: until it is gone); how many seconds that took."""
        started = time.monotonic()
        wait_until(
            lambda: self.value(name, **labels) == value,
            lambda: f"{name}{labels} is {value}, not {self.value(name, **labels)}: {self.journal('fail2ban-exporter')}",
            seconds,
        )
        return time.monotonic() - started

    def _has_booted(self) -> bool:
        if self._nspawn.poll() is not None:
            raise AssertionError(f"nspawn ended with {self._nspawn.returncode}: {self.log()}")
        if not self._leader:
            children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text(encoding="ascii")
            for pid in children.split():
                if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "systemd":
                    self._leader = int(pid)
            return False
        status, said = self.try_run("systemctl is-system-running")
        return status == 0 or said.strip() == "degraded"


def _getting(path: str, seconds: float) -> str:
    return f"python3 -c '{_GET}' 'http://127.0.0.1:9191{path}' {seconds}"


def _nspawn(root: Path) -> list[str]:
    """How to call the nspawn of a Debian, with the libraries that are there: this machine needs neither."""
    (loader,) = root.glob("usr/lib/*/ld-linux*.so.*")
    libraries = loader.parent
    return [str(loader), "--library-path", f"{libraries / 'systemd'}:{libraries}", str(root / "usr/bin/systemd-nspawn")]


def _has_old_control_groups() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _init_arguments() -> list[str]:
    # Or a new systemd does not boot where the host has the first version of control groups.
    return ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"] if _has_old_control_groups() else []


def _nspawn_environment() -> dict[str, str]:
    return {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0"} if _has_old_control_groups() else {}
