"""The machine that the tests of this folder share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.sources import UnavailableError
from tests.system.debian import Debian, expect_root, say, scratch_folder
from tests.system.machine import Machine
from tests.system.readme import ROOT, commands, geoip_extra

SOURCES = ("exporter", "deploy", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = (
    "systemd-sysv",
    "systemd-container",
    "dbus",
    "pipx",
    "python3-venv",
    "iproute2",
    "nftables",
    "iptables",
    "ipset",
)


@pytest.fixture(scope="session")
def debian() -> Debian:
    """A Debian with systemd and pipx, and fail2ban at hand, not installed yet."""
    return Debian(os.environ.get("SUITE") or "bookworm", PACKAGES, ("fail2ban", "python3-systemd"))


@pytest.fixture(scope="session")
def machine(debian: Debian) -> Iterator[Machine]:
    """The Debian, booted, with the exporter's program installed as the README says, and no unit of it yet."""
    try:
        expect_root()
        root, wheels = debian.root(), debian.wheels()
    except UnavailableError as error:
        pytest.fail(str(error), pytrace=False)
    with scratch_folder() as scratch:
        source = scratch / "src"
        _copy_sources(source)
        say(f"booting Debian {debian.suite}")
        with Machine(root, scratch / "boot.log", binds={source: "/src", wheels: "/wheels"}) as booted:
            say(f"it runs {booted.run('systemctl --version | head -1')} on Linux {booted.run('uname -r')}")
            say("installing the exporter with pipx, as the README says")
            install = commands("pipx install").splitlines()
            # No network there: what pip would download is in a folder.
            environment = "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\ncd /src\n"
            booted.run(environment + "\n".join(line for line in install if " probe" not in line))
            booted.run(environment + geoip_extra())
            yield booted


def _copy_sources(target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
