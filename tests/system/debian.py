"""A small Debian, made once from the machine's own mirror and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs.catalogue import Program
from tests.programs.fetch import cache_folder, fetch
from tests.programs.sources import UnavailableError, debian_source

ROOT = Path(__file__).parents[2]
WITHOUT_ROOT = "it boots a Debian, which only root can: sudo make system-test"

_DEBOOTSTRAP = Program(
    name="debootstrap",
    package="debootstrap",
    version="1.0",
    suites=("trixie", "bookworm"),
    proof=("usr/sbin/debootstrap", "usr/share/debootstrap/functions"),
)
_COMMAND_SECONDS = 900
_PYTHON = {"bookworm": "3.11", "trixie": "3.13"}


@dataclass(frozen=True)
class Debian:
    """What is to be on it.

    Attributes:
        suite: `bookworm` or `trixie`.
        packages: Beside those that every Debian has.
        shelf: Packages to have at hand in `/debs` with all that they need, not installed.
    """

    suite: str
    packages: Sequence[str] = field(default=())
    shelf: Sequence[str] = field(default=())

    @property
    def python(self) -> str:
        """The version of its Python, such as `3.11`."""
        return _PYTHON[self.suite]

    def root(self) -> Path:
        """The folder of it, made if the cache has none yet; nobody may change it.

        Raises:
            UnavailableError: It can't be had; the message says why.
        """
        name = hashlib.sha256(repr(self).encode()).hexdigest()[:12]
        folder = _cache() / f"{self.suite}-{name}"
        if folder.is_dir():
            return folder
        say(f"making a Debian {self.suite} (once; it stays in {_cache().relative_to(ROOT)})")
        with tempfile.TemporaryDirectory(dir=_cache(), prefix="tmp-") as scratch:
            made = Path(scratch) / "root"
            self._make(made)
            made.rename(folder)
        return folder

    def _make(self, root: Path) -> None:
        source = debian_source()
        if failures := fetch([_DEBOOTSTRAP]):
            raise UnavailableError("; ".join(failures))
        debootstrap = cache_folder() / _DEBOOTSTRAP.name
        words = ["--variant=minbase"]
        keyring = source.signed_by
        if keyring and keyring.startswith("/"):
            words.append(f"--keyring={keyring.split()[0]}")
        run(
            "sh",
            str(debootstrap / "usr/sbin/debootstrap"),
            *words,
            self.suite,
            str(root),
            source.uri,
            environment={"DEBOOTSTRAP_DIR": str(debootstrap / "usr/share/debootstrap")},
        )
        # Not by debootstrap, which does not choose among alternatives as apt does.
        install = ["chroot", str(root), "apt-get", "-qq", "-y", "--no-install-recommends", "install"]
        run("chroot", str(root), "apt-get", "-qq", "update")
        run(*install, *self.packages)
        run("chroot", str(root), "apt-get", "clean")
        debs = root / "debs"
        debs.mkdir()
        if self.shelf:
            run(*install, "--download-only", *self.shelf)
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.rename(debs / archive.name)
        # The addresses of the mirror are nobody's business from here on.
        shutil.rmtree(root / "var/lib/apt/lists")

    def wheels(self) -> Path:
        """A folder with all wheels that its Python needs to install the exporter from source, made if need be.

        Raises:
            UnavailableError: They can't be had.
        """
        locks = [ROOT / "requirements" / f"{lock}.txt" for lock in ("build", "geoip")]
        name = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
        folder = _cache() / f"wheels-{self.python}-{name}"
        if folder.is_dir():
            return folder
        say(f"fetching the wheels for Python {self.python}")
        machine = platform.machine()
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in (36, 34, 28, 24, 17)] + [f"manylinux2014_{machine}"]
        with tempfile.TemporaryDirectory(dir=_cache(), prefix="tmp-") as scratch:
            made = Path(scratch) / "wheels"
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(made), "--only-binary=:all:"]
            pip += ["--implementation=cp", f"--python-version={self.python}"]
            pip += [f"--platform={one}" for one in platforms]
            run(*pip, "--require-hashes", *(f"--requirement={lock}" for lock in locks))
            # What pipx wants for the environment that its pip is in.
            run(*pip, "pip", "setuptools", "wheel")
            made.rename(folder)
        return folder


def expect_root() -> None:
    """Raise if this process may not do what a test here needs.

    Raises:
        UnavailableError: With what to do.
    """
    if os.geteuid() != 0:
        raise UnavailableError(WITHOUT_ROOT)


def say(line: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"== {line}", flush=True)


def run(*words: str, environment: dict[str, str] | None = None, seconds: float = _COMMAND_SECONDS) -> str:
    """Run a command to its end; its output.

    Raises:
        UnavailableError: It failed; the message has the end of what it said.
    """
    try:
        done = subprocess.run(
            words,
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise UnavailableError(f"{words[0]} is not on this machine; install it") from error
    if done.returncode != 0:
        raise UnavailableError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of the test's own beside the cache; removed with its block."""
    with tempfile.TemporaryDirectory(dir=_cache(), prefix="tmp-") as folder:
        yield Path(folder)


def _cache() -> Path:
    folder = ROOT / ".cache" / "system"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
