"""The jails that the configuration enables, as news: told when they change, and what is wrong told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict

from exporter.configured_jails import ConfiguredJails
from exporter.fail2ban.configuration import Fault, JailConfiguration
from exporter.fail2ban.dialects import MAX_NAME_LENGTH
from exporter.health import ConfigurationRead

NEVER = float("-inf")
BROKEN = Fault("/etc/fail2ban/jail.local", "line 3 is no setting")
UNREADABLE = Fault("/etc/fail2ban/jail.d/a.conf", "Permission denied")


def enabling(*jails: str, faults: tuple[Fault, ...] = ()) -> JailConfiguration:
    return JailConfiguration(frozenset(jails), faults)


@dataclass
class Watch:
    """A watch whose every look is written down beforehand; after the last, nothing changes."""

    readings: Iterator[JailConfiguration | None]
    looks: list[str] = field(default_factory=list)

    def poll(self) -> JailConfiguration | None:
        """Take the next."""
        self.looks.append("poll")
        return next(self.readings, None)

    def read(self) -> JailConfiguration:
        """Take the next, which must be there."""
        self.looks.append("read")
        reading = next(self.readings)
        assert reading is not None
        return reading


class Jails:
    """The jails of a configuration that is read so, looked at once a second."""

    def __init__(self, *readings: JailConfiguration | None) -> None:
        self.watch = Watch(iter(readings))
        self.folders: list[str] = []
        self.jails = ConfiguredJails("/etc/fail2ban", self._make_watch)
        self.lines: list[EventDict] = []
        self._now = 0.0

    def _make_watch(self, folder: str) -> Watch:
        self.folders.append(folder)
        return self.watch

    def look(self, *, again: bool = False) -> list[ConfigurationRead]:
        """Look, a second later."""
        self._now += 1.0
        with structlog.testing.capture_logs() as lines:
            # The logger is taken when it is made, as it would be in a program that has configured its log.
            self.jails._log = structlog.get_logger()  # noqa: SLF001
            found = self.jails.look(self._now, 1000 + self._now, again=again)
        self.lines += lines
        return found


def read(at: float, since: float, *jails: str) -> list[ConfigurationRead]:
    return [ConfigurationRead(frozenset(jails), since=since, at=at, timestamp=1000 + at)]


def test_the_first_reading_is_told_and_changed_some_time_before_it() -> None:
    assert Jails(enabling("sshd")).look() == read(1, NEVER, "sshd")


def test_a_first_reading_that_enables_nothing_is_told_too_since_that_is_known_now() -> None:
    assert Jails(enabling()).look() == read(1, NEVER)


def test_a_change_is_told_with_the_look_before_it_after_which_it_was_made() -> None:
    jails = Jails(enabling("sshd"), None, None, enabling("sshd", "nginx"), enabling("nginx"))

    assert [jails.look() for _ in range(5)] == [
        read(1, NEVER, "sshd"),
        [],
        [],
        read(4, 3, "nginx", "sshd"),
        read(5, 4, "nginx"),
    ]


def test_a_file_that_changed_and_enables_the_same_is_no_news() -> None:
    jails = Jails(enabling("sshd"), enabling("sshd"))
    jails.look()

    assert jails.look() == []


@pytest.mark.parametrize(
    ("now", "looks"),
    [
        pytest.param(1.5, 1, id="half a second later"),
        pytest.param(1.999, 1, id="just before a second"),
        pytest.param(2.0, 2, id="a second later"),
    ],
)
def test_it_is_looked_at_once_a_second_however_often_it_is_asked(now: float, looks: int) -> None:
    jails = Jails(enabling("sshd"))
    jails.look()
    assert jails.jails.next_look_in(now) == max(0.0, 2.0 - now)

    for _ in range(3):
        jails.jails.look(now, 0)

    assert jails.watch.looks == ["poll"] * looks


def test_at_the_moment_that_fail2ban_is_found_down_it_is_read_whether_or_not_it_was_just_looked_at() -> None:
    jails = Jails(enabling("sshd"), enabling("sshd", "nginx"))
    jails.look()

    found = jails.jails.look(1.25, 1001.25, again=True)

    assert found == read(1.25, 1, "sshd", "nginx")
    assert jails.watch.looks == ["poll", "read"]


def test_what_is_wrong_is_logged_once_counted_as_long_as_it_is_and_costs_no_other_file() -> None:
    jails = Jails(
        enabling("sshd", faults=(BROKEN,)),
        enabling("sshd", faults=(BROKEN, UNREADABLE)),
        None,
        enabling("sshd"),
        enabling("sshd", faults=(BROKEN,)),
    )
    counts: list[int | None] = []
    assert jails.jails.faults is None
    for _ in range(5):
        jails.look()
        counts.append(jails.jails.faults)

    assert counts == [1, 2, 2, 0, 1]
    assert [(line["event"], line["path"], line["reason"]) for line in jails.lines] == [
        ("jail_configuration_faulty", BROKEN.path, BROKEN.reason),
        ("jail_configuration_faulty", UNREADABLE.path, UNREADABLE.reason),
        ("jail_configuration_faulty", BROKEN.path, BROKEN.reason),
    ]


def test_names_are_told_as_a_probe_tells_them_and_such_as_fail2ban_could_not_tell_not_at_all() -> None:
    longest = "x" * MAX_NAME_LENGTH

    [found] = Jails(enabling("größe", "\udcff", longest, longest + "x")).look()

    assert found.enabled == {"größe", "\\udcff", longest}


def test_another_folder_is_read_from_the_start() -> None:
    jails = Jails(enabling("sshd", faults=(BROKEN,)), enabling("sshd", faults=(BROKEN,)))
    jails.look()

    jails.jails.turn_to("/srv/fail2ban")

    assert jails.jails.faults is None
    assert jails.jails.next_look_in(1.0) == 0
    assert jails.look() == read(2, NEVER, "sshd")
    assert jails.folders == ["/etc/fail2ban", "/srv/fail2ban"]
    assert len(jails.lines) == 2


def test_turned_off_it_looks_at_nothing_and_wants_to_be_asked_never() -> None:
    turned_off = Jails(enabling("sshd"))
    turned_off.look()
    turned_off.jails.turn_to("")

    for jails in (turned_off.jails, ConfiguredJails.off()):
        assert jails.next_look_in(5.0) == float("inf")
        assert jails.look(5.0, 0, again=True) == []
        assert jails.faults is None


def test_with_a_real_folder_a_jail_is_told_when_a_file_enables_it(tmp_path: Path) -> None:
    jails = ConfiguredJails(str(tmp_path))
    local = tmp_path / "jail.local"
    local.write_text("[sshd]\nenabled = true\n[nginx]\n")
    assert jails.look(1.0, 1001.0) == read(1, NEVER, "sshd")

    local.write_text("[sshd]\nenabled = true\n[nginx]\nenabled = true\n")

    assert jails.look(2.0, 1002.0) == read(2, 1, "nginx", "sshd")
