"""When a ban was made: a wrong hour would count restored bans anew, or let new ones go uncounted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.fail2ban import ProbeError
from exporter.fail2ban.ban_times import PERMANENT, Ban, dated_until, read, zone_shift

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The exporter's own zone."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def printed(start: float, seconds: int, zone: str = "UTC", name: str = "192.0.2.1") -> str:
    """A ban as fail2ban prints it in that zone."""

    def local(moment: float) -> str:
        return datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")

    end = "9999-12-31 23:59:59" if seconds == PERMANENT else local(start + seconds)
    return f"{name} \t{local(start)} + {seconds} = {end}"


def bans(*lines: str) -> list[Ban]:
    return read(list(lines))


def test_what_a_real_server_prints_is_read() -> None:
    line = "203.0.113.1 \t2026-11-25 01:25:00 + 600 = 2026-11-25 01:35:00"

    assert bans(line) == [Ban("203.0.113.1\t2026-11-25 01:25:00", "2026-11-25 01:25:00", 600, "2026-11-25 01:35:00")]


@pytest.mark.parametrize(
    "name", ["2001:db8::1", "192.0.2.0/24", "a user", "", "x \t2020-01-01 00:00:00 + 1 = 2020-01-01 00:00:01", "a\nb"]
)
def test_whatever_was_banned_the_times_are_those_at_the_end_of_the_line(
    name: str, in_zone: Callable[..., None]
) -> None:
    in_zone("UTC")
    [ban] = bans(printed(NOW - 60, 600, name=name))

    assert dated_until([ban], NOW - 60, NOW) == [ban]
    assert dated_until([ban], NOW - 61, NOW) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="nothing"),
        pytest.param("192.0.2.1", id="no list"),
        pytest.param(["192.0.2.1"], id="no times"),
        pytest.param([1], id="a number"),
        pytest.param(["192.0.2.1 \t2026-11-25 01:25:00 + 600 = soon"], id="no end"),
    ],
)
def test_anything_else_is_not_believed(value: object) -> None:
    with pytest.raises(ProbeError):
        read(value)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
@given(st.lists(st.tuples(st.integers(0, 10**7), st.sampled_from([60, 600, 86_400, PERMANENT])), max_size=20))
def test_in_the_exporter_own_zone_every_ban_is_told_by_its_very_second(zone: str, found: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        # Those that have not ended yet: no others are listed.
        made = [(NOW - age % (seconds if seconds > 0 else 10**7), seconds) for age, seconds in found]
        listed = bans(*(printed(start, seconds, zone, str(number)) for number, (start, seconds) in enumerate(made)))
        moment = NOW - 300

        assert zone_shift(listed, NOW) == 0
        assert len(dated_until(listed, moment, NOW)) == sum(start <= moment for start, _ in made)
    time.tzset()


@pytest.mark.parametrize(
    ("age", "seconds", "zone", "shift"),
    [
        pytest.param(10, 600, "UTC", 0, id="the same zone"),
        pytest.param(10, 600, "Europe/Berlin", -3600, id="an hour ahead"),
        pytest.param(10, 600, "America/New_York", 5 * 3600, id="five hours behind"),
        pytest.param(10, 600, "Asia/Kathmandu", -20_700, id="a quarter of an hour counts"),
        pytest.param(599, 600, "Pacific/Kiritimati", -14 * 3600, id="the zone furthest away"),
        pytest.param(10, PERMANENT, "Europe/Berlin", -3600, id="a ban from the future tells, even one for ever"),
        pytest.param(4000, PERMANENT, "Europe/Berlin", 0, id="an old ban for ever tells nothing"),
        pytest.param(10, 86_400, "America/New_York", 0, id="nor does a long one behind us"),
    ],
)
def test_a_server_in_another_zone_is_found_out_by_bans_that_could_not_be_listed_now(
    age: int, seconds: int, zone: str, shift: float, in_zone: Callable[..., None]
) -> None:
    in_zone("UTC")

    assert shift == zone_shift(bans(printed(NOW - age, seconds, zone)), NOW)


def test_once_its_zone_is_known_bans_are_told_by_their_very_second(in_zone: Callable[..., None]) -> None:
    in_zone("UTC")
    listed = bans(*(printed(NOW - age, 600, "Asia/Kathmandu", str(age)) for age in (10, 20, 30)))
    shift = zone_shift(listed, NOW)
    assert shift is not None

    assert [len(dated_until(listed, NOW - age, NOW, shift)) for age in (31, 30, 20, 10)] == [0, 1, 2, 3]


def test_times_that_fit_no_zone_are_not_understood(in_zone: Callable[..., None]) -> None:
    in_zone("UTC")

    assert zone_shift(bans(printed(NOW - 10, 600), printed(NOW - 5 * 86_400, 600)), NOW) is None
    assert zone_shift(bans("x \t0000-00-00 00:00:00 + 1 = 0000-00-00 00:00:00"), NOW) is None


@pytest.mark.parametrize(("seconds", "number"), [(60, 1), (600, 1), (7200, 2), (86_400, 2)])
@pytest.mark.parametrize("fold", [0, 1])
def test_in_the_hour_that_is_twice_the_length_of_a_ban_tells_which_it_was(
    seconds: int, number: int, fold: int, in_zone: Callable[..., None]
) -> None:
    in_zone("Europe/Berlin")
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=berlin).timestamp()
    now = start + min(30, seconds / 2) if number == 1 else start + 5400
    listed = bans(printed(start, seconds, "Europe/Berlin"))

    assert zone_shift(listed, now) == 0
    assert dated_until(listed, start, now) == listed
    assert dated_until(listed, start - 1, now) == []


def test_no_bans_say_nothing_of_the_zone() -> None:
    assert zone_shift([], NOW) == 0
    assert dated_until([], NOW, NOW) == []
