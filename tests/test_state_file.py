"""The state file: after a restart of the exporter nothing is lost, nothing counted twice, and no disk stops it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict

from exporter import state_file
from exporter.health import (
    ActivationReported,
    ConfigurationRead,
    Event,
    Health,
    Policy,
    ProbeEnded,
    Source,
    reduce,
)
from exporter.health.activations import Span
from exporter.health.bans import Bans
from exporter.health.recovery import Cause, Outage, Recovery
from exporter.model import ExitKind, ServerTraces
from exporter.state_file import MAX_BYTES, SavedState, StateFile
from tests.fakes import short_folder
from tests.nobody import as_nobody
from tests.snapshots import exited, failure, jail, recounted, server, success

SOCKET = "/run/fail2ban/fail2ban.sock"
FRESH = Health.initial(10)
NOW, WALL = 5000.0, 1_700_000_000.0
TRACES = ServerTraces("pid:42:1", "8:7:6", "8:5")


class Disk:
    """A state file, what it logged, and how often it failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors = 0
        self.lines: list[EventDict] = []
        self.file = StateFile(str(path), self._failed)

    def _failed(self) -> None:
        self.errors += 1

    def recall(self, health: Health = FRESH, socket: str = SOCKET) -> tuple[Health, ServerTraces | None]:
        """Recall, as a new run of the exporter."""
        with structlog.testing.capture_logs() as lines:
            self.file = StateFile(str(self.path), self._failed)
            recalled = self.file.recall(health, socket, NOW, WALL)
        self.lines += lines
        return recalled

    def keep(self, health: Health, socket: str = SOCKET, traces: ServerTraces | None = TRACES) -> None:
        """Keep."""
        with structlog.testing.capture_logs() as lines:
            self.file._log = structlog.get_logger()  # noqa: SLF001
            self.file.keep(health, socket, traces, NOW, WALL)
        self.lines += lines

    def told(self) -> list[str]:
        """The names of the lines logged since the last call, that it was restored aside."""
        events = [line["event"] for line in self.lines if line["event"] != "state_restored"]
        self.lines.clear()
        return events

    def names(self) -> set[str]:
        """The names of the files beside it, itself included."""
        return {each.name for each in self.path.parent.iterdir()}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "state.json")


def after(*events: Event, health: Health = FRESH) -> Health:
    for event in events:
        health = reduce(health, event)
    return health


def blamed(jail_name: str = "nginx") -> Health:
    """A health in which this jail is blamed for a crash that is not over, and once before for one that is."""
    online = success(jail(), server=server(identity="pid:42:1"))
    again = success(jail(), server=server(identity="pid:43:1"))
    return after(
        ConfigurationRead(frozenset({"sshd"}), since=float("-inf"), at=10, timestamp=WALL),
        ProbeEnded(online, at=20, timestamp=WALL),
        ActivationReported(jail_name, happened=30, at=30, timestamp=WALL),
        exited(ExitKind.CRASH, at=31, identity="pid:42:1"),
        ProbeEnded(failure(), at=31, timestamp=WALL),
        ProbeEnded(again, at=40, timestamp=WALL),
        exited(ExitKind.CRASH, at=50, identity="pid:43:1"),
        ProbeEnded(failure(), at=50, timestamp=WALL),
    )


# -- round trip

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**63)
SPANS = st.builds(Span, FINITE, FINITE)
OUTAGES = st.builds(
    Outage,
    SPANS,
    st.sampled_from(Cause),
    FINITE,
    identity=st.none() | NAMES,
    counts=st.booleans(),
    hung=st.booleans(),
    starts_failed=st.booleans(),
    candidates=st.frozensets(NAMES, max_size=3),
    blamed=st.frozensets(NAMES, max_size=3),
    over=st.none() | FINITE,
)
STRATEGIES: Mapping[Any, st.SearchStrategy[Any]] = {
    float: FINITE,
    int: COUNTS,
    str: NAMES,
    bool: st.booleans(),
    Policy: st.builds(Policy, FINITE, FINITE),
    Span: SPANS,
    Outage: OUTAGES,
    Cause: st.sampled_from(Cause),
    Source: st.sampled_from(Source),
    ExitKind: st.sampled_from(ExitKind),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that is annotated so, every field of a dataclass given; a field that is new is given too."""
    if kind in STRATEGIES:
        return STRATEGIES[kind]
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {each.name: any_of(hints[each.name]) for each in dataclasses.fields(kind)}
        return st.builds(typing.cast("type", kind), **fields)
    if origin is frozenset:
        return st.frozensets(any_of(parts[0]), max_size=4)
    if origin is tuple:
        return st.lists(any_of(parts[0]), max_size=3).map(tuple)
    if type(None) in parts:
        return st.none() | any_of(next(part for part in parts if part is not type(None)))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(any_of(parts[0]), any_of(parts[1]), max_size=4)
    raise AssertionError(kind)


EVERY_STATE = st.builds(
    replace,
    st.just(FRESH),
    exits=st.fixed_dictionaries(dict.fromkeys(ExitKind, COUNTS)),
    restarts=COUNTS,
    server_identity=st.none() | NAMES,
    bans=any_of(Bans),
    recovery=st.builds(replace, any_of(Recovery), told=st.fixed_dictionaries(dict.fromkeys(Source, COUNTS))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVERY_STATE, st.none() | st.builds(ServerTraces, NAMES, st.none() | NAMES, st.none() | NAMES))
def test_every_state_comes_back_as_it_was_in_each_of_its_fields(
    tmp_path_factory: pytest.TempPathFactory, health: Health, traces: ServerTraces | None
) -> None:
    disk = Disk(tmp_path_factory.getbasetemp() / "round-trip" / "state.json")
    disk.path.parent.mkdir(exist_ok=True)
    disk.path.unlink(missing_ok=True)
    disk.keep(health, traces=traces)
    fresh = replace(FRESH, recovery=Recovery(health.recovery.policy))

    recalled, found = disk.recall(fresh)

    assert (recalled, found) == (health, traces)
    assert list(recalled.recovery.remembered) == list(health.recovery.remembered)  # the oldest leave first
    assert disk.errors == 0


def test_a_story_goes_on_after_a_restart_as_if_there_had_been_none(disk: Disk) -> None:
    before = blamed()
    disk.keep(before)

    recalled, traces = disk.recall()

    assert traces == TRACES
    assert recalled.recovery == before.recovery
    assert recalled.recovery.pending() == ("nginx",)
    assert (recalled.exits, recalled.restarts) == (before.exits, before.restarts)
    again = after(
        ProbeEnded(success(jail(), server=server(identity="pid:44:1")), at=60, timestamp=WALL), health=recalled
    )
    assert again.recovery.pending() == ()
    assert again.recovery.recoveries == before.recovery.recoveries + 1
    assert again.restarts == before.restarts + 1


def test_the_settings_of_today_hold_and_not_those_that_were_in_force_then(disk: Disk) -> None:
    disk.keep(blamed())
    today = Policy(window=5, grace=1)

    recalled, _ = disk.recall(Health.initial(10, today))

    assert today == recalled.recovery.policy


def test_what_is_known_by_probes_alone_begins_anew(disk: Disk) -> None:
    disk.keep(blamed())

    recalled, _ = disk.recall()

    assert (recalled.state, recalled.last_probe, recalled.probes) == (FRESH.state, None, FRESH.probes)


def test_what_was_counted_of_bans_goes_on_over_a_restart_of_either(disk: Disk) -> None:
    one, other = server(identity="pid:42:1"), server(identity="pid:43:1")
    shown = recounted(reduce(FRESH, ProbeEnded(success(jail(), server=one), 20, WALL)), success(jail(), server=one))
    disk.keep(shown)

    recalled, _ = disk.recall()
    assert recalled.bans.of("sshd") == shown.bans.of("sshd") == 50

    again = after(ProbeEnded(success(jail(bans=4), server=other), at=40, timestamp=WALL + 20), health=recalled)
    [question] = again.bans.questions()
    assert question.most == 4


def test_a_boot_ends_every_run_of_a_jail_and_forgets_nothing_that_was_counted(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = success(jail())
    disk.keep(recounted(reduce(FRESH, ProbeEnded(probe, 20, WALL)), probe))
    monkeypatch.setattr(state_file, "boot_id", lambda: "another")

    recalled, _ = disk.recall()
    assert recalled.bans.of("sshd") is None

    # The same process number and start time, by chance.
    again = after(ProbeEnded(success(jail(bans=4)), at=40, timestamp=WALL + 20), health=recalled)
    [question] = again.bans.questions()
    assert question.most == 4


def test_a_file_of_a_version_that_did_not_keep_them_is_read(disk: Disk) -> None:
    disk.keep(blamed())
    written = json.loads(disk.path.read_text(encoding="utf-8"))
    del written["bans"], written["recovery"]["policy"]["patience"]
    disk.path.write_text(json.dumps(written), encoding="utf-8")

    recalled, _ = disk.recall()

    assert recalled.bans == Bans()
    assert recalled.recovery.pending() == ("nginx",)
    assert disk.errors == 0


def test_a_ban_more_is_written_before_it_is_shown_and_a_failure_more_is_not(disk: Disk) -> None:
    probe = success(jail())
    health = recounted(reduce(FRESH, ProbeEnded(probe, 20, WALL)), probe)
    health = after(ProbeEnded(probe, at=60, timestamp=WALL), health=health)
    disk.keep(health)
    written = disk.path.stat().st_mtime_ns

    health = after(ProbeEnded(success(jail(failures=31)), at=90, timestamp=WALL), health=health)
    disk.keep(health)
    assert disk.path.stat().st_mtime_ns == written

    health = after(ProbeEnded(success(jail(failures=31, bans=51)), at=120, timestamp=WALL), health=health)
    disk.keep(health)
    assert disk.path.stat().st_mtime_ns != written


def test_without_a_file_nothing_is_remembered_and_nothing_is_wrong(disk: Disk) -> None:
    assert disk.recall() == (FRESH, None)
    assert (disk.errors, disk.lines) == (0, [])


def test_a_label_that_a_later_version_counts_by_starts_at_0(disk: Disk) -> None:
    disk.keep(blamed())
    document = json.loads(disk.path.read_text())
    del document["exits"]["clean"]
    del document["recovery"]["told"]["observed"]
    disk.path.write_text(json.dumps(document))

    recalled, _ = disk.recall()

    assert recalled.exits == {ExitKind.CLEAN: 0, ExitKind.CRASH: 2, ExitKind.UNKNOWN: 0}
    assert recalled.recovery.told == {Source.OBSERVED: 0, Source.CONFIGURED: 0, Source.REPORTED: 1}


# -- another server, another boot


def test_another_socket_keeps_the_counters_and_blames_nobody(disk: Disk) -> None:
    before = blamed()
    disk.keep(before)

    recalled, traces = disk.recall(socket="/run/other.sock")

    assert traces is None
    assert recalled.recovery.pending() == ()
    assert recalled.recovery.outage is None
    assert recalled.server_identity is None
    assert (recalled.exits, recalled.restarts) == (before.exits, before.restarts)
    assert recalled.recovery.told == before.recovery.told
    assert recalled.recovery.remembered["nginx"].failures == before.recovery.remembered["nginx"].failures


def test_after_another_boot_durations_go_on_from_the_time_that_passed_by_the_wall_clock(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = blamed()
    monkeypatch.setattr(state_file, "boot_id", lambda: "one")
    disk.file.keep(before, SOCKET, TRACES, now=9000.0, timestamp=WALL - 100)  # saved 100 s ago, in the other boot
    monkeypatch.setattr(state_file, "boot_id", lambda: "two")

    recalled, traces = disk.recall()

    shift = (NOW - 100) - 9000.0
    outage, former = recalled.recovery.outage, before.recovery.outage
    assert outage is not None
    assert former is not None
    assert outage.due == former.due + shift
    assert outage.went_down == Span(former.went_down.start + shift, former.went_down.end + shift)
    [activation] = recalled.recovery.activations.values()
    assert activation.counted == before.recovery.activations["nginx"].counted + shift
    assert recalled.recovery.pending() == ("nginx",)
    # Numbers of processes and files are given out anew: nothing that is equal shows anything.
    assert traces is None
    assert recalled.server_identity is None
    assert recalled.recovery.running is None


def test_in_the_same_boot_a_wall_clock_that_jumped_moves_nothing(disk: Disk) -> None:
    before = blamed()
    disk.file.keep(before, SOCKET, TRACES, now=NOW, timestamp=WALL + 3600)

    recalled, _ = disk.recall()

    assert recalled.recovery == before.recovery


def test_the_boot_is_told_by_the_kernel_and_where_it_is_not_there_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_file.boot_id() == state_file.boot_id() != ""

    monkeypatch.setattr(state_file, "_BOOT_ID", tmp_path / "nothing")
    assert state_file.boot_id() == ""


# -- writing


def test_it_is_for_its_owner_alone_and_the_only_file(disk: Disk) -> None:
    former = os.umask(0)
    try:
        disk.keep(blamed())
    finally:
        os.umask(former)

    assert disk.path.stat().st_mode & 0o777 == 0o600
    assert disk.names() == {"state.json"}


def test_it_is_written_only_when_something_changed_that_it_holds(disk: Disk) -> None:
    online = success(jail(), server=server(identity="pid:42:1"))

    def probed(health: Health, seconds: range) -> Health:
        for at in seconds:
            health = after(ProbeEnded(online, at=at, timestamp=WALL + at), health=health)
            disk.keep(health)
        return health

    started = probed(FRESH, range(20, 40))  # that its start is over is the last news
    written = disk.path.stat()

    later = probed(started, range(40, 100))
    assert disk.path.stat() == written

    disk.keep(after(exited(ExitKind.CLEAN, at=100), health=later))
    assert disk.path.stat() != written


def test_the_last_time_it_says_when_fail2ban_was_seen_last(disk: Disk) -> None:
    """Else a crash while no exporter runs could have happened at any moment since the last change."""
    online = success(jail(), server=server(identity="pid:42:1"))
    started = after(ProbeEnded(online, at=20, timestamp=WALL), ProbeEnded(online, at=40, timestamp=WALL), health=FRESH)
    disk.keep(started)
    later = after(ProbeEnded(online, at=900, timestamp=WALL), health=started)
    disk.file.keep(later, SOCKET, TRACES, NOW, WALL, is_last=True)

    assert 900 == disk.recall()[0].recovery.last_up


def test_what_was_recalled_is_not_written_again(disk: Disk) -> None:
    disk.keep(blamed())
    written = disk.path.stat()
    recalled, traces = disk.recall()

    disk.keep(recalled, traces=traces)

    # not all of it: that the file was read shows in it, too
    found = disk.path.stat()
    assert (found.st_ino, found.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


@pytest.mark.parametrize("left", ["a file", "a link"])
def test_what_a_kill_left_behind_is_taken_away_and_never_written_through(disk: Disk, left: str) -> None:
    other = disk.path.with_name("other")
    other.write_text("somebody's")
    temporary = disk.path.with_name(".state.json.new")
    if left == "a link":
        temporary.symlink_to(other)
    else:
        temporary.write_text("half of")
        temporary.chmod(0o666)

    disk.keep(blamed())

    assert other.read_text() == "somebody's"
    assert disk.names() == {"state.json", "other"}
    assert disk.path.stat().st_mode & 0o777 == 0o600


KILLED = """
import os, signal, sys
from tests.test_state_file import SOCKET, TRACES, NOW, WALL, blamed
from exporter.state_file import StateFile
from tests.nobody import as_nobody

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

file = StateFile(sys.argv[1], lambda: None)
file.keep(blamed("old"), SOCKET, TRACES, NOW, WALL)
where = sys.argv[2]
if where == "before it is open":
    os.open = die
elif where == "half-written":
    fdopen = os.fdopen
    def half(*arguments):
        opened = fdopen(*arguments)
        class Half:
            def __enter__(self): return self
            def __exit__(self, *_): pass
            def write(self, content):
                opened.write(content[:100]); opened.flush(); die()
        return Half()
    os.fdopen = half
elif where == "not on disk yet":
    os.fsync = die
elif where == "before it takes the place":
    os.rename = os.replace = die
elif where == "after it took the place":
    fsync, calls = os.fsync, []
    def second(descriptor):
        calls.append(descriptor)
        die() if len(calls) == 2 else fsync(descriptor)
    os.fsync = second
file.keep(blamed("new"), SOCKET, TRACES, NOW, WALL)
"""


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("before it is open", "old"),
        ("half-written", "old"),
        ("not on disk yet", "old"),
        ("before it takes the place", "old"),
        ("after it took the place", "new"),
        ("not at all", "new"),
    ],
)
def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(disk: Disk, where: str, found: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(disk.path), where],
        cwd=Path(__file__).parents[1],
        check=False,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == (0 if where == "not at all" else -signal.SIGKILL), done.stderr.decode()
    recalled, _ = disk.recall()
    assert recalled.recovery.pending() == (found,)
    assert disk.errors == 0
    disk.keep(blamed("next"))
    assert disk.names() == {"state.json"}


# -- files that can't be used


def written(**changes: Any) -> bytes:
    """A good file with other values at the top."""
    state = SavedState.of(blamed(), SOCKET, TRACES, NOW, WALL)
    document = json.loads(StateFile("unused", lambda: None)._adapter.dump_json(state))  # noqa: SLF001
    return json.dumps({**document, **changes}).encode()


GOOD = written()
BAD: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\x00\xff garbage",
    "not UTF-8": b'{"version": "\xff"}',
    "truncated": GOOD[: len(GOOD) // 2],
    "without its last byte": GOOD[:-1],
    "followed by rubbish": GOOD + b"}",
    "huge": GOOD + b" " * MAX_BYTES,
    "nested deeply": b"[" * 1_000_000,
    "a list": b"[]",
    "null": b"null",
    "an object without anything": b"{}",
    "of a later version": written(version=2),
    "of no version": written(version=None),
    "counters of another type": written(exits={"crash": "many"}),
    "exits of an unknown kind": written(exits={"explosion": 1}),
    "no number": written(monotonic=None),
    "a socket that is a number": written(socket=3),
    "a recovery that is a list": written(recovery=[]),
    "traces that are text": written(traces="pid:1:1"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_file_that_can_not_be_used_is_moved_aside_told_once_counted_and_the_start_is_clean(
    disk: Disk, content: bytes
) -> None:
    disk.path.write_bytes(content)

    assert disk.recall() == (FRESH, None)

    aside = disk.path.with_name("state.json.corrupt")
    [line] = disk.lines
    assert (line["event"], line["log_level"]) == ("state_file_corrupt", "error")
    assert (line["path"], line["moved_to"]) == (str(disk.path), str(aside))
    assert len(line["reason"]) < 200
    assert disk.errors == 1
    assert aside.read_bytes() == content
    assert disk.names() == {aside.name}

    disk.keep(blamed())
    assert disk.recall()[0].recovery.pending() == ("nginx",)
    assert disk.errors == 1


def test_a_second_corrupt_file_takes_the_place_of_the_first(disk: Disk) -> None:
    for content in (b"one", b"two"):
        disk.path.write_bytes(content)
        disk.recall()

    assert disk.path.with_name("state.json.corrupt").read_bytes() == b"two"
    assert disk.names() == {"state.json.corrupt"}


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_byte_is_wrong_the_start_is_not_prevented(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    disk = Disk(tmp_path_factory.getbasetemp() / "bytes" / "state.json")
    disk.path.parent.mkdir(exist_ok=True)
    disk.path.write_bytes(GOOD[:place] + bytes([byte]) + GOOD[place + 1 :])

    recalled, _ = disk.recall()

    after(exited(ExitKind.UNKNOWN, at=NOW), ProbeEnded(failure(), at=NOW, timestamp=WALL), health=recalled)


def test_a_state_larger_than_may_be_read_is_not_written_and_the_former_stays(disk: Disk) -> None:
    disk.keep(blamed())
    huge = after(*(ActivationReported("\x01" * 1000 + str(n), NOW, NOW, WALL) for n in range(999)), health=blamed())

    disk.keep(huge)

    assert disk.told() == ["state_file_unwritable"]
    assert disk.recall()[0].recovery.pending() == ("nginx",)
    assert disk.errors == 1
    assert disk.names() == {"state.json"}


@pytest.mark.parametrize("what", ["a device", "a pipe", "a folder"])
def test_what_is_no_file_is_neither_waited_for_nor_replaced(disk: Disk, what: str) -> None:
    """`--recovery.state-file=/dev/null`, as root, must not replace the host's /dev/null."""
    if what == "a pipe":
        os.mkfifo(disk.path)
    elif what == "a folder":
        disk.path.mkdir()
    else:
        disk.path.symlink_to("/dev/null")
    before = disk.path.lstat().st_ino

    assert disk.recall() == (FRESH, None)
    disk.keep(blamed())

    assert disk.told() == ["state_file_unreadable"]
    assert disk.errors == 2
    assert before == disk.path.lstat().st_ino
    assert disk.names() == {"state.json"}


# -- disks that can't be written


@pytest.fixture
def own_disk() -> Iterator[Disk]:
    """A disk of somebody who has not the rights of root, to whom no folder is read-only."""
    with as_nobody():
        folder = short_folder()
        try:
            yield Disk(folder / "state.json")
        finally:
            folder.chmod(0o700)
            shutil.rmtree(folder)


def test_an_unreadable_file_is_told_and_counted_and_the_start_is_clean(own_disk: Disk) -> None:
    own_disk.keep(blamed())
    own_disk.path.chmod(0)

    assert own_disk.recall() == (FRESH, None)

    [line] = own_disk.lines
    assert (line["event"], line["path"]) == ("state_file_unreadable", str(own_disk.path))
    assert "Permission denied" in str(line["error"])
    assert "forgets" in line["consequence"]
    assert own_disk.errors == 1


def test_a_folder_that_can_not_be_written_is_told_once_counted_each_time_and_told_when_it_can(
    own_disk: Disk,
) -> None:
    own_disk.path.parent.chmod(0o555)
    try:
        for name in ("a", "b", "c"):
            own_disk.keep(blamed(name))
        assert own_disk.errors == 3
        assert own_disk.told() == ["state_file_unwritable"]
    finally:
        own_disk.path.parent.chmod(0o700)

    own_disk.keep(blamed("d"))
    own_disk.keep(blamed("e"))

    assert own_disk.told() == ["state_file_writable_again"]
    assert own_disk.errors == 3
    assert own_disk.recall()[0].recovery.pending() == ("e",)


def test_a_corrupt_file_that_can_not_be_moved_is_told_all_the_same(own_disk: Disk) -> None:
    own_disk.path.write_text("garbage")
    own_disk.path.parent.chmod(0o555)
    try:
        assert own_disk.recall() == (FRESH, None)
    finally:
        own_disk.path.parent.chmod(0o700)

    [line] = own_disk.lines
    assert (line["event"], line["moved_to"]) == ("state_file_corrupt", None)
    assert "not one of ours" in line["reason"]
    assert own_disk.errors == 1


def test_a_folder_that_is_not_there_is_told_and_no_reason_to_stop(disk: Disk) -> None:
    missing = Disk(disk.path.parent / "nothing" / "state.json")

    assert missing.recall() == (FRESH, None)
    missing.keep(blamed())

    assert missing.told() == ["state_file_unwritable"]
    assert missing.errors == 1


@dataclass
class FullDisk:
    """A disk without room, in a folder of its own."""

    disk: Disk
    filler: Path

    def fill(self) -> None:
        """Leave no room."""
        with suppress(OSError), self.filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[FullDisk]:
    """A disk of 64 KiB that is full, unmounted whatever happens."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        filler = folder / "filler"
        yield FullDisk(Disk(folder / "state.json"), filler)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_told_once_counted_each_time_keeps_the_old_file_and_is_told_when_it_works(
    full: FullDisk,
) -> None:
    disk = full.disk
    disk.keep(blamed("old"))
    full.fill()

    for name in ("a", "b", "c"):
        disk.keep(blamed(name))

    assert disk.errors == 3
    assert disk.told() == ["state_file_unwritable"]
    assert disk.names() == {"state.json", "filler"}
    assert Disk(disk.path).recall()[0].recovery.pending() == ("old",)

    full.filler.unlink()
    disk.keep(blamed("c"))  # though nothing changed since the last attempt

    assert disk.told() == ["state_file_writable_again"]
    assert disk.errors == 3
    assert Disk(disk.path).recall()[0].recovery.pending() == ("c",)
