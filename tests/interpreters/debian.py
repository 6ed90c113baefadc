"""Pythons of Debian's suites, unpacked with all that they need, beside whatever Debian the machine runs.

Each is told in its own file where its libraries and its loader are, so it runs as any other program, and so does a
virtual environment that is made of it.
"""

import subprocess
from pathlib import Path
from typing import Final

from tests.interpreters.versions import SUITES, Interpreter, Missing
from tests.programs import loaded
from tests.programs.catalogue import Program
from tests.programs.fetch import cache_folder, fetch
from tests.programs.sources import UnavailableError

_PATCHELF: Final = Program(
    name="patchelf",
    package="patchelf",
    version="0.14",
    suites=("bookworm",),
    proof=("usr/bin/patchelf",),
    libraries=("libc6", "libgcc-s1", "libstdc++6"),
)
# What the suite and its tools want of the standard library, and a Python with a library missing has not.
_MODULES: Final = "import bz2, ctypes, lzma, readline, sqlite3, ssl, zlib"


def python_of_debian(version: str) -> Interpreter | Missing:
    """One of `SUITES`, fetched if it is not there yet."""
    if not SUITES[version]:
        return Missing(version, "no Debian suite has it, and no package of PyPI that one would trust is a Python")
    faults = fetch([_PATCHELF, _program(version)])
    path = cache_folder() / f"python-{version}" / _path(version)
    if faults:
        return Missing(version, faults[-1])
    if not _runs(path):
        return Missing(version, f"{path.parents[2]} was unpacked elsewhere and must be fetched anew: remove it")
    return Interpreter(version, path, "Debian")


def _program(version: str) -> Program:
    def finish(unpacked: Path, root: Path) -> None:
        _make_at_home(unpacked, root, version)

    return Program(
        name=f"python-{version}",
        package=f"python{version}",
        version=version,
        suites=SUITES[version],
        proof=(_path(version),),
        libraries=("libc6",),
        whole=True,
        finish=finish,
        trials=((_path(version), "-c", _MODULES),),
    )


def _path(version: str) -> str:
    return f"usr/bin/python{version}"


def _make_at_home(unpacked: Path, root: Path, version: str) -> None:
    """Write into the program where its loader and its libraries are, once the unpacked files are in `root`."""
    libraries = sorted({path.parent for path in unpacked.glob("**/lib*.so.*")})
    loader = min(unpacked.glob("**/ld-linux*.so.*"))
    path = ":".join(str(root / folder.relative_to(unpacked)) for folder in libraries)
    # the newer kind of path does not count for the libraries of libraries
    changes = ["--set-interpreter", str(root / loader.relative_to(unpacked)), "--force-rpath", "--set-rpath", path]
    patchelf = loaded(cache_folder() / _PATCHELF.name, "usr/bin/patchelf")
    done = subprocess.run([*patchelf, *changes, unpacked / _path(version)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"patchelf: {done.stderr.strip()}")


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", _MODULES], capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False
