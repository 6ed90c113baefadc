"""A look that hangs costs what it looks at, and nothing else: no other file, no thread without end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from exporter.files.looker import MAX_HANGING, Looker, _Errand
from tests.waiting import DEADLINE, wait_until


class Disk:
    """Files, and which of them hang until they are let go."""

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.looked: list[str] = []
        self._go = threading.Event()

    def look(self, path: str) -> str:
        """Look at one."""
        self.looked.append(path)
        if path in self.hanging:
            self._go.wait(DEADLINE)
        return path.upper()

    def let_go(self) -> None:
        """Have all looks that hang end."""
        self.hanging = set()
        self._go.set()


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.let_go()


def threads() -> int:
    """How many looks are under way."""
    return sum(thread.name == "looker" for thread in threading.enumerate())


def test_everything_is_looked_at_in_order(disk: Disk) -> None:
    assert Looker().look(["b", "a"], disk.look) == {"b": "B", "a": "A"}
    assert disk.looked == ["b", "a"]
    assert Looker().look([], disk.look) == {}


def test_what_hangs_is_left_out_and_the_rest_is_there(disk: Disk) -> None:
    disk.hanging = {"b"}
    looker = Looker(patience=0.05)

    assert looker.look(["a", "b", "c"], disk.look) == {"a": "A", "c": "C"}
    assert looker.hanging() == 1


def test_what_is_found_just_as_patience_runs_out_is_found(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_too_little(self: _Errand[str], patience: float) -> bool:
        wait_until(lambda: not self.is_alive(), "it has found everything")
        return patience < 0

    monkeypatch.setattr(_Errand, "wait", wait_too_little)
    looker = Looker()

    assert looker.look(["a", "b"], disk.look) == {"a": "A", "b": "B"}
    assert looker.hanging() == 0


def test_what_hangs_is_not_looked_at_again_before_it_has_answered(disk: Disk) -> None:
    disk.hanging = {"b"}
    looker = Looker(patience=0.05)
    looker.look(["a", "b"], disk.look)
    disk.looked.clear()

    assert looker.look(["a", "b"], disk.look) == {"a": "A"}
    assert disk.looked == ["a"]

    disk.let_go()
    wait_until(lambda: looker.hanging() == 0, "it has answered")
    assert looker.look(["a", "b"], disk.look) == {"a": "A", "b": "B"}


def test_of_one_file_system_one_file_hangs_and_no_other_is_tried(disk: Disk) -> None:
    disk.hanging = {"/nfs/a", "/nfs/b", "/nfs/c"}
    looker = Looker(patience=0.05)

    found = looker.look(["/nfs/a", "/var/x", "/nfs/b", "/nfs/c"], disk.look, lambda path: path.split("/")[1])

    assert found == {"/var/x": "/VAR/X"}
    assert disk.looked == ["/nfs/a", "/var/x"]


def test_only_so_many_threads_are_left_behind(disk: Disk) -> None:
    paths = [str(number) for number in range(50)]
    disk.hanging = set(paths)
    looker = Looker(patience=0.05)
    wait_until(lambda: threads() == 0, "those of other tests have ended")

    assert looker.look(paths, disk.look) == {}
    assert looker.look(paths, disk.look) == {}

    assert len(disk.looked) == MAX_HANGING
    assert threads() == MAX_HANGING
    disk.let_go()
    wait_until(lambda: threads() == 0, "all threads have ended")
    assert len(disk.looked) == MAX_HANGING, "what was left behind looked at no other path"


def test_an_error_is_raised_where_it_is_waited_for(disk: Disk) -> None:
    def look(path: str) -> str:
        if path == "b":
            raise RuntimeError(path)
        return disk.look(path)

    with pytest.raises(RuntimeError, match="b"):
        Looker().look(["a", "b", "c"], look)


def test_slow_is_not_hanging(disk: Disk) -> None:
    slow = threading.Event()

    def look(path: str) -> str:
        slow.wait(0.03)
        return disk.look(path)

    paths = [str(number) for number in range(10)]

    assert list(Looker(patience=0.2).look(paths, look)) == paths
