"""Fetches the programs of the catalogue into the cache, each one whole or not at all."""

import fcntl
import os
import shutil
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
    """Whether the cache has the program. A folder under its own name is always whole: it gets that name last."""
    return all((cache_folder() / program.name / path).exists() for path in program.proof)


def reason_file(program: Program) -> Path:
    """The file that says why the last try to fetch the program failed."""
    return cache_folder() / f"{program.name}.reason"


def fetch(programs: Iterable[Program]) -> list[str]:
    """Fetch the programs that the cache lacks, with a line of progress on stdout for each.

    Returns:
        A sentence for each program that could not be had.
    """
    with only_one_fetches(), tempfile.TemporaryDirectory(dir=cache_folder(), prefix="tmp-") as scratch:
        shelves = _Shelves(Path(scratch))
        failures = []
        for program in programs:
            if is_there(program):
                say(f"{program.name}: there")
                continue
            try:
                version, suite = _fetch_one(program, shelves)
            except UnavailableError as error:
                failures.append(f"{program.name} (Debian {', '.join(program.suites)}) could not be had: {error}")
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

    def suite(self, name: str) -> Apt:
        if self._source is None:
            self._source = debian_source()
        if name not in self._suites:
            say(f"Debian {name}: fetching its package lists")
            apt = Apt(self._source, name, self._folder / name)
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


def _fetch_one(program: Program, shelves: _Shelves) -> tuple[str, str]:
    faults = []
    for suite in program.suites:
        try:
            apt = shelves.suite(suite)
            version = apt.find(program)
            if version is None:
                others = ", ".join(apt.versions(program.package)) or "none"
                faults.append(f"{suite} has no {program.package} {program.version} (it has: {others})")
                continue
            unpacked = apt.folder / program.name
            apt.unpack_all([f"{program.package}={version}", *program.libraries], unpacked)
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


@contextmanager
def only_one_fetches() -> Iterator[None]:
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
