"""Fetches the programs of the catalogue into the cache, each one whole or not at all."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs.apt import Apt
from tests.programs.catalogue import Program
from tests.programs.sources import Source, UnavailableError, debian_source


def cache_folder() -> Path:
    """Where the programs are: `.cache/programs` in the checkout, or what FAIL2BAN_EXPORTER_TEST_CACHE says."""
    override = os.environ.get("FAIL2BAN_EXPORTER_TEST_CACHE")
    return Path(override) if override else Path(__file__).parents[2] / ".cache" / "programs"


def is_there(program: Program) -> bool:
    """Whether the machine or the cache has it. A folder under a program's own name is whole: it gets that name last."""
    if program.installed and shutil.which(program.installed):
        return True
    return all((cache_folder() / program.name / path).exists() for path in program.proof)


def reason_file(program: Program) -> Path:
    """The file that says why the last try to fetch the program failed."""
    return cache_folder() / f"{program.name}.reason"


def fetch(programs: Iterable[Program]) -> list[str]:
    """Fetch the programs that the cache lacks, with a line of progress on stdout for each.

    Returns:
        A sentence for each program that could not be had.
    """
    with _only_one_fetches(), tempfile.TemporaryDirectory(dir=cache_folder(), prefix="tmp-") as scratch:
        shelves = _Shelves(Path(scratch))
        failures = []
        for program in programs:
            if is_there(program):
                say(f"{program.name}: there")
                continue
            try:
                version, suite = _fetch_one(program, shelves)
            except UnavailableError as error:
                where = f" (Debian {', '.join(program.suites)})" if program.suites else ""
                failures.append(f"{program.name}{where} could not be had: {error}")
                reason_file(program).write_text(str(error), encoding="utf-8")
                say(failures[-1])
            else:
                reason_file(program).unlink(missing_ok=True)
                say(f"{program.name}: fetched {program.package} {version} of Debian {suite}")
        return failures


class _Shelves:
    """The suites' package lists, each fetched when first wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source: Source | None = None
        self._suites: dict[str, Apt | UnavailableError] = {}

    def names(self, program: Program) -> tuple[str, ...]:
        """The suites to look for a program in."""
        return program.suites or self._debian().suites[:1]

    def suite(self, name: str) -> Apt:
        """The packages of a suite, whose lists are fetched if nobody asked before."""
        if name not in self._suites:
            say(f"Debian {name}: fetching its package lists")
            apt = Apt(self._debian(), name, self._folder / name)
            try:
                apt.update()
            except UnavailableError as error:
                self._suites[name] = error
            else:
                self._suites[name] = apt
        found = self._suites[name]
        if isinstance(found, UnavailableError):
            raise found
        return found

    def _debian(self) -> Source:
        if self._source is None:
            self._source = debian_source()
        return self._source


def _fetch_one(program: Program, shelves: _Shelves) -> tuple[str, str]:
    faults = []
    for suite in shelves.names(program):
        try:
            apt = shelves.suite(suite)
            version = apt.find(program)
            if version is None:
                others = ", ".join(apt.versions(program.package)) or "none"
                faults.append(f"{suite} has no {program.package} {program.version} (it has: {others})")
                continue
            unpacked = apt.folder / program.name
            _unpack(program, version, apt, unpacked)
        except UnavailableError as error:
            faults.append(str(error))
            continue
        missing = [path for path in program.proof if not (unpacked / path).exists()]
        if missing:
            faults.append(f"{program.package} {version} of {suite} has no {', '.join(missing)}")
            continue
        final = cache_folder() / program.name
        shutil.rmtree(final, ignore_errors=True)
        unpacked.rename(final)
        return version, suite
    raise UnavailableError("; ".join(faults))


def _unpack(program: Program, version: str, apt: Apt, unpacked: Path) -> None:
    """Unpack a program and see it run; what it takes to call it is meant for its place in the cache then."""
    packages = [f"{program.package}={version}", *program.libraries]
    if program.whole:
        needed = apt.closure(*packages)
        # what is named is wanted, even of the system's own
        packages = [*needed, *(library for library in program.libraries if library not in needed)]
    apt.unpack_all(packages, unpacked)
    if program.finish is not None:
        program.finish(unpacked, unpacked)
    for trial in program.trials:
        _try(unpacked / trial[0], *trial[1:])
    if program.finish is not None:
        program.finish(unpacked, cache_folder() / program.name)


def _try(path: Path, *arguments: str) -> None:
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{path.name} does not run: {done.stderr.strip()}")


@contextmanager
def _only_one_fetches() -> Iterator[None]:
    """Wait until no other process fetches, and keep others waiting meanwhile."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # What a fetch that was killed left behind; the lock says that nobody is using it.
        for leftover in cache_folder().glob("tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"test programs: {line}", flush=True)
