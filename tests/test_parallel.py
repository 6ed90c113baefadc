"""Sharing the tests out: figures are not spoilt by what runs beside, and nothing that a test prints ends the run."""

import fcntl
import os
from pathlib import Path

import pytest

from tests import parallel
from tests.parallel import ALONE, LONGEST_FIRST, TOGETHER, locked, printable, rank, turn, unit


def may(path: Path, kind: int) -> bool:
    """Whether another worker could lock a file now."""
    try:
        with locked(path, kind | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False


def test_ordinary_tests_run_side_by_side_and_keep_out_one_that_is_to_run_alone(tmp_path: Path) -> None:
    with turn(tmp_path, alone=False):
        assert may(tmp_path / "door", fcntl.LOCK_EX)
        assert may(tmp_path / "room", fcntl.LOCK_SH)
        assert not may(tmp_path / "room", fcntl.LOCK_EX)


def test_no_test_begins_beside_one_that_runs_alone(tmp_path: Path) -> None:
    with turn(tmp_path, alone=True):
        assert not may(tmp_path / "door", fcntl.LOCK_EX)
        assert not may(tmp_path / "room", fcntl.LOCK_SH)


@pytest.mark.parametrize("alone", [True, False])
def test_a_turn_ends_with_a_test_that_fails(tmp_path: Path, *, alone: bool) -> None:
    with pytest.raises(ZeroDivisionError), turn(tmp_path, alone=alone):
        raise ZeroDivisionError

    assert may(tmp_path / "door", fcntl.LOCK_EX)
    assert may(tmp_path / "room", fcntl.LOCK_EX)


def test_what_takes_long_begins_first_and_what_runs_alone_last() -> None:
    begins = [
        "tests/web/test_slow_connections.py::test_others[bodies]",
        "tests/test_log.py::test_json",
        "tests/web/test_site.py::test_it[a/b::c]",
        "tests/end_to_end/test_queries.py::test_it",
    ]

    assert sorted(begins, key=rank) == list(reversed(begins))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        pytest.param("end_to_end/test_a.py::test_a", "end_to_end/test_b.py::test_b", True, id="of one stage"),
        pytest.param("test_log.py::test_a[1]", "test_log.py::test_b", True, id="of one quick module"),
        pytest.param("test_log.py::test_a", "test_prober.py::test_a", False, id="of quick modules"),
        pytest.param("web/test_site.py::test_a[1]", "web/test_site.py::test_a[2]", False, id="of a slow module"),
        pytest.param("web/test_slow_connections.py::test_a", "web/test_site.py::test_a", False, id="one alone"),
        pytest.param("web/test_slow_connections.py::test_a", f"{ALONE[-1]}[x]", True, id="both alone"),
        pytest.param("integration/test_a.py::test_a", "integrations/test_a.py::test_a", False, id="of like names"),
    ],
)
def test_what_is_costly_to_make_is_made_once_and_what_is_slow_is_spread(
    one: str, other: str, *, together: bool
) -> None:
    assert (unit(f"tests/{one}") == unit(f"tests/{other}")) is together


def test_each_place_that_is_named_is_there() -> None:
    here = Path(__file__).parent

    for place in (*LONGEST_FIRST, *TOGETHER, *ALONE):
        path, _, test = place.partition("::")
        assert (here / path).exists()
        assert not test or f"def {test}(" in (here / path).read_text(encoding="utf-8")


def test_there_are_more_workers_than_cores_since_most_of_them_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    assert parallel.workers() == 4


def test_whatever_an_attacker_of_a_test_wrote_a_report_can_be_sent() -> None:
    report = {"sections": [("log", "a\udcff\n")], "duration": 1.5, "\ud800": None, "reached": ["ö"]}

    assert printable(report) == {
        "sections": [("log", "a\\udcff\n")],
        "duration": 1.5,
        "\\ud800": None,
        "reached": ["ö"],
    }
