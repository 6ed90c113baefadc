"""What a test gets of a program that it wants, and what becomes of the test where the program can't be had.

With CI=true a missing program is a failure: a test that silently doesn't run there protects nobody.
"""

import os
from pathlib import Path

import pytest

from tests.programs.catalogue import CATALOGUE
from tests.programs.fetch import cache_folder, is_there, reason_file


def must_be_there() -> bool:
    """Whether a test fails that lacks a program; elsewhere it is skipped."""
    return os.environ.get("CI") == "true"


def program(name: str) -> Path:
    """The folder that stands for `/` of a program's packages; skips (with CI=true: fails) the test if it's missing."""
    wanted = CATALOGUE[name]
    if is_there(wanted):
        return cache_folder() / name
    reason_path = reason_file(wanted)
    reason = reason_path.read_text(encoding="utf-8") if reason_path.exists() else "not fetched yet: make test-deps"
    message = f"no {name} to test with: {reason}"
    if must_be_there():
        pytest.fail(message)
    pytest.skip(message)
