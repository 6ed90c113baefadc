"""What the tests of this folder have in common."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from exporter.fail2ban import Client
from tests.fakes import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder whose name is short enough for sockets in it."""
    made = short_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def clients() -> Iterator[Callable[..., Client]]:
    """Makes clients that are closed at the end."""
    with ExitStack() as stack:
        yield lambda path, **clock: stack.enter_context(closing(Client(str(path), **clock)))
