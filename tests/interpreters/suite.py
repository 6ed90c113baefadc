"""The suite on one Python: a virtual environment of its own with the locked dependencies, and what became of it."""

import os
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.interpreters.versions import Interpreter

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".cache" / "interpreters"
UV: Final = ROOT / ".cache" / "uv" / "bin" / "uv"
_LOCKS: Final = ("build", "runtime", "dev")


@dataclass(frozen=True)
class Outcome:
    """How the suite ended on one Python.

    Attributes:
        interpreter: The Python.
        succeeded: Whether nothing failed.
        says: In words.
    """

    interpreter: Interpreter
    succeeded: bool
    says: str

    def line(self) -> str:
        """The summary."""
        verdict = "passed" if self.succeeded else "FAILED"
        return f"{self.interpreter.version}: {verdict}, {self.says} ({self.interpreter.origin})"


def find_installed(version: str) -> Interpreter | None:
    """A Python that the machine has: on PATH, or of those that uv and pyenv keep."""
    call = [str(UV), "python", "find", "--system", "--no-project", "--no-python-downloads", version]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)
    return Interpreter(version, Path(done.stdout.strip()), "installed") if done.returncode == 0 else None


def run(interpreter: Interpreter, arguments: Sequence[str]) -> Outcome:
    """Run pytest on it, with its output as it comes."""
    python = FOLDER / interpreter.version / "bin" / "python"
    try:
        set_up(interpreter, python)
    except subprocess.CalledProcessError as error:
        return Outcome(interpreter, succeeded=False, says=f"its environment could not be made: {error}")
    report = FOLDER / f"{interpreter.version}.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    # the tests call what is in the environment by its name too
    environment = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    call = [str(python), "-m", "pytest", f"--junit-xml={report}", *arguments]
    status = subprocess.run(call, cwd=ROOT, env=environment, check=False).returncode
    took = time.monotonic() - started
    return Outcome(interpreter, status == 0, f"{counted(report) or f'pytest ended with {status}'} in {took:.0f} s")


def set_up(interpreter: Interpreter, python: Path) -> None:
    """Make or renew the virtual environment, from the locks, each download checked."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    locks = [word for lock in _LOCKS for word in ("-r", str(ROOT / "requirements" / f"{lock}.txt"))]
    install = ["pip", "install", "--quiet", "--python", str(python)]
    for words in (
        ["venv", "--quiet", "--clear", "--python", str(interpreter.path), str(python.parents[1])],
        [*install, "--require-hashes", "--only-binary", ":all:", *locks],
        [*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        subprocess.run([UV, *words], env=environment, check=True)


def counted(report: Path) -> str:
    """How many tests there were of each kind, by pytest's report; empty if it wrote none."""
    if not report.exists():
        return ""
    suite = next(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314  # pytest wrote it
    bad = {name: int(suite.get(name, 0)) for name in ("failures", "errors", "skipped")}
    good = int(suite.get("tests", 0)) - sum(bad.values())
    return ", ".join([f"{good} tests passed", *(f"{count} {name}" for name, count in bad.items() if count)])
