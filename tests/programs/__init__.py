"""Real programs for the tests: unpacked Debian packages, or a skip (with CI=true: a failure) that says why not."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.programs.catalogue import FAIL2BAN_VERSIONS, SYSTEMD_VERSIONS
from tests.programs.wanted import program

__all__ = [
    "FAIL2BAN_VERSIONS",
    "SYSTEMD_VERSIONS",
    "Fail2banInstall",
    "amtool",
    "chromium",
    "fail2ban",
    "firewall_tools",
    "libfaketime",
    "loaded",
    "openssl",
    "program",
    "promtool",
    "systemd_analyze",
    "wrk",
]


@dataclass(frozen=True)
class Fail2banInstall:
    """One version of fail2ban, to run with the Python that runs the tests.

    Attributes:
        version: Such as `1.1.0`.
        root: The folder that stands for `/` of the package.
        libraries: The same of further packages whose modules it may import.
    """

    version: str
    root: Path
    libraries: tuple[Path, ...] = ()

    @property
    def server(self) -> list[str]:
        """How to call fail2ban-server; arguments follow."""
        return [sys.executable, str(self.root / "usr/bin/fail2ban-server")]

    @property
    def client(self) -> list[str]:
        """How to call fail2ban-client; arguments follow."""
        return [sys.executable, str(self.root / "usr/bin/fail2ban-client")]

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment for either: nothing of the tests' own reaches fail2ban."""
        modules = [root / "usr/lib/python3/dist-packages" for root in (self.root, *self.libraries)]
        if self.version.startswith("0.11."):
            modules.insert(0, Path(__file__).parent / "shim")
        if self.version.startswith(("0.11.", "1.0.")) and sys.version_info >= (3, 12):
            modules.insert(0, Path(__file__).parent / "shim_distutils")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(map(str, modules)),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


def fail2ban(version: str, *libraries: str) -> Fail2banInstall:
    """One of `FAIL2BAN_VERSIONS`, with libraries by their names in the catalogue; skips or fails as `program` does."""
    return Fail2banInstall(version, program(f"fail2ban-{version}"), tuple(map(program, libraries)))


def openssl() -> Path:
    """OpenSSL's own client; skips or fails as `program` does."""
    return program("openssl") / "usr/bin/openssl"


def promtool() -> Path:
    """Prometheus's own checker of metrics and rules; skips or fails as `program` does."""
    return program("promtool") / "usr/bin/promtool"


def amtool() -> Path:
    """Alertmanager's own checker of its configuration; skips or fails as `program` does."""
    return program("alertmanager") / "usr/bin/amtool"


def libfaketime() -> Path:
    """The library that, loaded first, tells a program another time; skips or fails as `program` does."""
    return next((program("libfaketime") / "usr/lib").rglob("libfaketimeMT.so.1"))


def loaded(root: Path, executable: str) -> list[str]:
    """How to call a program of a folder that has its libraries too, whatever libraries the machine has."""
    loader = min(root.glob("**/ld-linux*.so.*"))
    folders = sorted({str(path.parent) for path in root.glob("**/lib*.so*") if path.is_file()})
    return [str(loader), "--library-path", ":".join(folders), str(root / executable)]


def systemd_analyze(version: str) -> list[str]:
    """How to call systemd-analyze of one of `SYSTEMD_VERSIONS`; skips or fails as `program` does."""
    return loaded(program(f"systemd-{version}"), "usr/bin/systemd-analyze")


def wrk() -> list[str]:
    """How to call wrk, which asks a web server as fast as it answers; skips or fails as `program` does."""
    return loaded(program("wrk"), "usr/bin/wrk")


def chromium() -> Path:
    """Debian's Chromium, the machine's own or an unpacked one; skips or fails as `program` does."""
    installed = shutil.which("chromium")
    return Path(installed) if installed else program("chromium") / "bin/chromium"


def firewall_tools() -> Path:
    """A folder of `nft`, `ipset`, `iptables` and its kin to call; skips or fails as `program` does."""
    return program("firewall-tools") / "bin"
