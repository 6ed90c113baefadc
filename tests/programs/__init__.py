"""Real programs for the tests: unpacked Debian packages, or a skip that says why there is none.

With CI=true a missing program is a failure: a test that silently doesn't run there protects nobody.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.browser import Chromium, chromium
from tests.programs.catalogue import CATALOGUE, FAIL2BAN_VERSIONS, SYSTEMD_VERSIONS
from tests.programs.fetch import cache_folder, is_there, reason_file
from tests.programs.firewall import FirewallTools, firewall_tools

__all__ = [
    "FAIL2BAN_VERSIONS",
    "SYSTEMD_VERSIONS",
    "Chromium",
    "Fail2banInstall",
    "FirewallTools",
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
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(map(str, modules)),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


def program(name: str) -> Path:
    """The folder that stands for `/` of a program's package; skips (with CI=true: fails) the test if it isn't there."""
    wanted = CATALOGUE[name]
    if is_there(wanted):
        return cache_folder() / name
    reason_path = reason_file(wanted)
    reason = reason_path.read_text(encoding="utf-8") if reason_path.exists() else "not fetched yet: make test-deps"
    message = f"no {name} to test with: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


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
