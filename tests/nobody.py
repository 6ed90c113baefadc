"""A user without rights over the files of others, for tests that run as root."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without any right over files of others, if the tests have some."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def let_everybody_reach(path: Path) -> None:
    """Open the folders above a file of a test's own to everybody; pytest makes them for one user."""
    top = Path(tempfile.gettempdir())
    for parent in path.parents:
        if parent != top and parent.is_relative_to(top):
            parent.chmod(0o755)
