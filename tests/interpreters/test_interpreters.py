"""`make test-all` must run the suite wherever it can, and say plainly where it could not."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.interpreters import suite
from tests.interpreters.__main__ import test_all as run_all
from tests.interpreters.suite import Outcome, counted
from tests.interpreters.versions import SUITES, Interpreter, Missing

ROOT = Path(__file__).parents[2]


def found(version: str) -> Interpreter:
    return Interpreter(version, Path(f"/usr/bin/python{version}"), "installed")


def passed(interpreter: Interpreter) -> Outcome:
    return Outcome(interpreter, succeeded=True, says="3 tests passed in 1 s")


def test_it_tests_the_versions_that_the_package_says_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one]

    assert list(SUITES) == named
    assert f">={named[0]}" == project["requires-python"]


def test_there_is_a_line_for_each_python_in_order() -> None:
    lines, succeeded = run_all(["3.11", "3.13"], found, passed)

    assert lines == [
        "3.11: passed, 3 tests passed in 1 s (installed)",
        "3.13: passed, 3 tests passed in 1 s (installed)",
    ]
    assert succeeded


def test_a_python_that_cannot_be_had_is_named_with_how_to_get_it_and_fails_nothing() -> None:
    lines, succeeded = run_all(
        ["3.11", "3.12"], lambda version: found(version) if version == "3.11" else Missing(version, "no"), passed
    )

    assert lines[1].startswith("3.12: not tested, no. Have python3.12 on PATH")
    assert "uv python install 3.12" in lines[1]
    assert succeeded


def test_one_failure_fails_the_whole_and_the_others_are_tested_all_the_same() -> None:
    lines, succeeded = run_all(
        ["3.11", "3.13"],
        found,
        lambda interpreter: Outcome(interpreter, interpreter.version != "3.11", "1 failures"),
    )

    assert lines == ["3.11: FAILED, 1 failures (installed)", "3.13: passed, 1 failures (installed)"]
    assert not succeeded


def test_to_have_tested_nothing_is_no_success() -> None:
    assert not run_all(["3.12"], lambda version: Missing(version, "no"), passed)[1]


def test_an_environment_that_cannot_be_made_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(interpreter: Interpreter, python: Path) -> None:
        raise subprocess.CalledProcessError(2, ["uv", "venv", str(python), interpreter.version])

    monkeypatch.setattr(suite, "set_up", refuse)

    outcome = suite.run(found("3.11"), [])

    assert not outcome.succeeded
    assert "its environment could not be made" in outcome.says


def test_tests_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="10" failures="2" errors="1" skipped="0"></testsuite></testsuites>',
        encoding="utf-8",
    )

    assert counted(report) == "7 tests passed, 2 failures, 1 errors"
    assert counted(tmp_path / "none.xml") == ""
