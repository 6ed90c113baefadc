"""The real program and its standard streams: no closed, full or narrow one makes it print a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import exporter
from exporter import docs

ROOT = Path(exporter.__file__).parent.parent


def program(*argv: str, redirect: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the real program from a shell, its output captured unless the options or the redirection say otherwise."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    script = f'exec "$0" -m exporter "$@" {redirect}'
    return subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, *argv], cwd=ROOT, text=True, timeout=30, check=False, **options
    )


def test_the_module_is_the_same_program_and_its_arguments_those_of_the_process() -> None:
    done = program("docs", "configuration")

    assert (0, docs.configuration(), "") == (done.returncode, done.stdout, done.stderr)


def test_bad_usage_of_the_real_program_leaves_no_traceback() -> None:
    done = program("check-config", "--log.level=loud")

    assert (2, "", 2) == (done.returncode, done.stdout, done.stderr.count("\n"))


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [("--help",), ("docs", "configuration"), ("check-config",)])
def test_a_reader_that_has_seen_enough_gets_no_traceback(argv: tuple[str, ...], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = program(*argv, stdout=stdout, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})

    assert (0, "") == (done.returncode, done.stderr)


def test_output_that_a_terminal_s_encoding_lacks_is_escaped() -> None:
    done = program("check-config", "--jails.expected=é", env=os.environ | {"PYTHONIOENCODING": "ascii"})

    assert (0, "") == (done.returncode, done.stderr)
    assert r"jails.expected = \xe9" in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_a_failure_with_its_reason(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as stdout:
        done = program("docs", "configuration", stdout=stdout, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})

    assert (1, "fail2ban-exporter: standard output: No space left on device\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize(("argv", "status"), [(("check-config",), 0), (("check-config", "--log.level=loud"), 2)])
def test_without_any_standard_streams_the_status_still_tells(argv: tuple[str, ...], status: int) -> None:
    done = program(*argv, redirect=">&- 2>&-")

    assert (status, "", "") == (done.returncode, done.stdout, done.stderr)


def test_faults_never_end_up_in_the_output_of_a_script() -> None:
    done = program("check-config", "--log.level=loud", redirect="2>&-")

    assert (2, "") == (done.returncode, done.stdout)
