"""A booted Debian with fail2ban and podman on it, which stands in for a Docker host."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.geoip import databases
from tests.programs.sources import UnavailableError
from tests.system.debian import Debian, expect_root, say, scratch_folder
from tests.system.machine import Machine
from tests.system.readme import ROOT, commands
from tests.web.certificates import Certificates, write_web_config

PASSWORD = "open sesame"  # noqa: S105 - it opens nothing else
HOST = ("systemd-sysv", "systemd-container", "dbus", "fail2ban", "podman", "crun")
# What the Dockerfile's BASE_IMAGE has, as far as the exporter can tell: a Python with its venv module.
BASE = ("python3", "python3-venv")
_SOURCES = ("exporter", "requirements", "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")

# Neither overlays nor control groups may be had in a container that is nested as this one is.
_CONFIGURATION = """
mkdir -p /etc/containers
cat > /etc/containers/storage.conf <<END
[storage]
driver = "vfs"
runroot = "/run/containers"
graphroot = "/var/lib/containers/storage"
END
cat > /etc/containers/containers.conf <<END
[containers]
cgroups = "disabled"
keyring = false
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
END
"""

_BASE_IMAGE = """
tar --create --exclude=./var/cache --directory=/base . | podman import - debian
printf 'FROM localhost/debian\nCOPY . /\n' | podman build --layers=false --isolation=chroot --tag=base --file=- /extra
"""

# What the README calls docker. To publish a port takes a bridge and a packet filter, which this kernel may not have:
# the container uses the network of the host instead, where it listens on all addresses.
DOCKER = """
flags='--layers=false --isolation=chroot'
docker() {
    command=$1
    shift
    case $command in
        build) podman build $flags --format=docker --build-arg=BASE_IMAGE=localhost/base "$@" ;;
        run) podman run --network=host "$@" ;;
        *) podman "$command" "$@" ;;
    esac
}
cd /src
"""


@pytest.fixture(scope="session")
def host() -> Iterator[Machine]:
    """The host, with the image built as the README says, fail2ban running, and no container yet."""
    debian, base = (Debian(os.environ.get("SUITE") or "bookworm", packages) for packages in (HOST, BASE))
    try:
        expect_root()
        root, base_root, wheels = debian.root(), base.root(), base.wheels()
    except UnavailableError as error:
        pytest.fail(str(error), pytrace=False)
    with scratch_folder() as scratch:
        folders = {name: scratch / name for name in ("src", "extra", "web", "geoip", "containers")}
        for folder in folders.values():
            folder.mkdir()
        _copy_sources(folders["src"])
        _fill(folders["extra"], wheels)
        databases.write(folders["geoip"] / "country.mmdb", databases.COUNTRIES)
        Certificates(folders["web"])
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        write_web_config(folders["web"], f"basic_auth_users:\n  prometheus: {hashed}\n")
        say(f"booting Debian {debian.suite}")
        binds = {folders["src"]: "/src", folders["extra"]: "/extra", folders["web"]: "/web", base_root: "/base"}
        binds[folders["geoip"]] = "/geoip"
        with Machine(
            root, scratch / "boot.log", binds=binds, writable={folders["containers"]: "/var/lib/containers"}
        ) as booted:
            booted.run(_CONFIGURATION)
            say("making the base image")
            booted.run(_BASE_IMAGE)
            say(f"building the image with podman {booted.run('podman --version').split()[-1]}, as the README says")
            (build, *_) = (line for line in commands("docker run").splitlines() if line.startswith("docker build"))
            booted.run(f"{DOCKER}{build}")
            booted.run("touch /var/log/auth.log; systemctl restart fail2ban")
            yield booted


def _copy_sources(target: Path) -> None:
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)


def _fill(extra: Path, wheels: Path) -> None:
    """Write what the base image has beside its Debian: wheels in the place of a package index, and `python`."""
    shutil.copytree(wheels, extra / "wheels")
    (extra / "etc").mkdir()
    (extra / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="utf-8")
    (extra / "usr/local/bin").mkdir(parents=True)
    (extra / "usr/local/bin/python").symlink_to("/usr/bin/python3")
