"""For all tests: how they are shared out among workers, and how many examples hypothesis tries of a property."""

import logging
from collections.abc import Generator, Iterator

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer

from tests import parallel
from tests.fuzz import FACTOR, examples

# no property is timed: the machine may be busy
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
if FACTOR > 1:
    # of a property that does not say so itself
    settings.register_profile("fuzz", examples(100), print_blob=True)
    settings.load_profile("fuzz")


@pytest.fixture
def log_as_found() -> Iterator[None]:
    """Leave logging to other tests as it was."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tell how many workers `-n auto` is."""
    return parallel.workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> parallel.Schedule:
    """Share the tests out in our own way, whatever `--dist` says."""
    return parallel.Schedule(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in the order in which they are to begin."""
    if _is_worker(config):
        items.sort(key=lambda item: parallel.rank(item.nodeid))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for a test's turn, before its timeout begins."""
    if not _is_worker(item.config):
        return (yield)
    with parallel.turn(item.config.rootpath / ".cache" / "turns", alone=parallel.is_alone(item.nodeid)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Let a report through to the process that prints it, whatever an attacker of a test wrote into the log."""
    return parallel.printable((yield))


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
