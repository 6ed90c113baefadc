"""Debian packages of any suite, fetched with a private apt configuration: nothing on the machine changes.

Works without root. apt verifies every package: the suite's signature by the machine's keyring, the package by its hash.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.programs.catalogue import Program
from tests.programs.sources import Source, UnavailableError

# The system's own must not be mixed with another one, and what only sets a system up is of no use here.
_LEFT_OUT = frozenset({"base-files", "dpkg", "libc-bin", "libc6", "perl-base"})
# Package lists of one suite are some 10 MB, a package up to 100 MB.
_APT_SECONDS = 600


@dataclass(frozen=True)
class Apt:
    """One suite's packages.

    Attributes:
        source: The machine's own source.
        suite: The suite to read instead of the machine's own.
        folder: A folder for apt's lists, which the caller removes.
    """

    source: Source
    suite: str
    folder: Path

    def update(self) -> None:
        """Fetch the suite's package lists.

        Raises:
            UnavailableError: The mirror has no such suite (any more), or can't be reached.
        """
        for part in ("sources", "lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "sources/suite.sources").write_text(self.source.deb822(self.suite), encoding="utf-8")
        self._apt("apt-get", "-qq", "update")

    def find(self, program: Program) -> str | None:
        """The full version of the program's package in this suite, if it is one that will do."""
        for version in self.versions(program.package):
            upstream = version.split(":", 1)[-1]
            rest = upstream.removeprefix(program.version)
            if not program.version or (rest != upstream and not rest[:1].isdigit()):
                return version
        return None

    def versions(self, package: str) -> list[str]:
        """Every version of a package in this suite."""
        return [line.split("|")[1].strip() for line in self._apt("apt-cache", "madison", package).splitlines()]

    def closure(self, *packages: str) -> list[str]:
        """Packages and all that they depend on, but for the system's own; of alternatives the first.

        What the machine has installed makes no difference.

        Raises:
            UnavailableError: There is no such package.
        """
        plan = self._apt("apt-get", "-qq", "--simulate", "--no-install-recommends", "install", *packages)
        needed = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
        return [package for package in needed if package not in _LEFT_OUT]

    def unpack_all(self, packages: Sequence[str], target: Path) -> None:
        """Download packages, each a name or `name=version`, and unpack their files into one folder.

        Raises:
            UnavailableError: A download failed or wasn't what the suite's signature vouches for.
        """
        download = self.folder / "download"
        download.mkdir(exist_ok=True)
        self._apt("apt-get", "-qq", "download", *packages, cwd=download, what=f"apt-get -qq download {packages[0]}")
        archives = sorted(download.glob("*.deb"))
        if len(archives) != len(packages):
            raise UnavailableError(f"apt-get downloaded {len(archives)} packages of {len(packages)}")
        for archive in archives:
            self._run("dpkg-deb", "--extract", str(archive), str(target), what=f"unpacking {archive.name}")
            archive.unlink()

    def _apt(self, program: str, *args: str, cwd: Path | None = None, what: str = "") -> str:
        return self._run(program, *self._options(), *args, what=what or " ".join((program, *args)), cwd=cwd)

    def _run(self, *argv: str, what: str, cwd: Path | None = None) -> str:
        if shutil.which(argv[0]) is None:
            raise UnavailableError(f"{argv[0]} is not on this machine")
        try:
            done = subprocess.run(
                argv,
                cwd=cwd or self.folder,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_APT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{what} (Debian {self.suite}) took longer than {_APT_SECONDS} s") from error
        if done.returncode != 0:
            words = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
            raise UnavailableError(f"{what} (Debian {self.suite}): {' '.join(words) or done.stderr.strip()}")
        return done.stdout

    def _options(self) -> list[str]:
        """As arguments, since these win over whatever the machine's own configuration says."""
        options = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": str(self.folder / "sources"),
            "Dir::State::Lists": str(self.folder / "lists"),
            "Dir::Cache": str(self.folder / "cache"),
            # What is installed must not matter, nor its versions be taken for ones that the suite has.
            "Dir::State::status": "/dev/null",
            "Acquire::Languages": "none",
            "Acquire::PDiffs": "false",
            "Acquire::Retries": "3",
            # Without it a suite that can't be had is a warning, and apt goes on with nothing.
            "APT::Update::Error-Mode": "any",
            # The unprivileged user that apt would switch to can't write in a checkout.
            "APT::Sandbox::User": "root",
        }
        return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
