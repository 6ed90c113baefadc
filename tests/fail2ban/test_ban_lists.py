"""Bans are listed with their times, off the probe's path, of a server that answers and of one that does not."""

import pytest

from exporter.fail2ban import BanLists, JailLook, ProbeError
from exporter.fail2ban.ban_times import Ban
from tests.fakes import FakeJail, FakeServer, Honest, UnknownJailException, bad, closing_after, good, in_turn, silent

PLENTY = 60.0
LINE = "192.0.2.1 \t2026-11-25 01:25:00 + 600 = 2026-11-25 01:35:00"
BAN = Ban("192.0.2.1\t2026-11-25 01:25:00", "2026-11-25 01:25:00", 600, "2026-11-25 01:35:00")


def listing(jail: str, *lines: str) -> dict[tuple[str, ...], bytes]:
    return {("get", jail, "banip", "--with-time"): good(list(lines))}


@pytest.mark.parametrize("version", ["0.11.2", "1.0.2", "1.1.1"])
def test_a_look_is_the_total_and_the_bans_of_the_jails_that_are_wanted_and_of_no_others(version: str) -> None:
    script = Honest({"sshd": FakeJail(bans=7), "web": FakeJail()}, version, replies=listing("sshd", LINE))
    with FakeServer(script) as server, BanLists(str(server.path), PLENTY) as lists:
        assert {"sshd": JailLook(7, (BAN,))} == lists.look(["sshd", "gone"])

        assert [request for request in server.requests if request[0] == "get"] == [
            ["get", "sshd", "banip", "--with-time"]
        ]


@pytest.mark.parametrize(
    ("jail", "version"),
    [
        pytest.param("sshd", "0.10.2", id="a version that may not know how"),
        pytest.param("dbfile", "1.1.1", id="a name that is the server's own option"),
    ],
)
def test_where_times_can_not_be_asked_for_they_are_not(jail: str, version: str) -> None:
    script = Honest({jail: FakeJail(bans=7)}, version)
    with FakeServer(script) as server, BanLists(str(server.path), PLENTY) as lists:
        assert {jail: JailLook(7, None)} == lists.look([jail])

        assert all("--with-time" not in request for request in server.requests)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(good("x" * 17 * 1024 * 1024), id="more than can be taken"),
        pytest.param(good(["192.0.2.1"]), id="no times"),
        pytest.param(bad(Exception("Invalid command")), id="an error, which is not asked for again"),
        pytest.param(good([None]), id="no texts"),
        pytest.param(b"no pickle", id="nothing that can be read"),
    ],
)
def test_one_list_that_can_not_be_taken_costs_that_jail_only(reply: bytes) -> None:
    replies: dict[tuple[str, ...], bytes] = {("get", "a", "banip", "--with-time"): reply} | listing("b", LINE)
    with (
        FakeServer(Honest({"a": FakeJail(), "b": FakeJail()}, replies=replies)) as server,
        BanLists(str(server.path), PLENTY) as lists,
    ):
        identity = lists.identity
        for _ in range(2):
            assert {"a": JailLook(3, None), "b": JailLook(3, (BAN,))} == lists.look(["a", "b"])
        assert identity == lists.identity


def test_a_jail_that_vanishes_in_between_is_left_out() -> None:
    replies: dict[tuple[str, ...], bytes] = {("get", "sshd", "banip", "--with-time"): bad(UnknownJailException("sshd"))}
    with FakeServer(Honest(replies=replies)) as server, BanLists(str(server.path), PLENTY) as lists:
        assert lists.look(["sshd"]) == {}


def test_a_name_that_is_no_text_is_looked_up_as_a_probe_spells_it() -> None:
    name = "ss\udcffhd"
    with (
        FakeServer(Honest({name: FakeJail()}, replies=listing(name, LINE))) as server,
        BanLists(str(server.path), PLENTY) as lists,
    ):
        assert {"ss\\udcffhd": JailLook(3, (BAN,))} == lists.look(["ss\\udcffhd"])


def test_a_server_that_does_not_answer_or_ends_is_an_error_in_time() -> None:
    with FakeServer(silent) as server, pytest.raises(ProbeError):
        BanLists(str(server.path), 0.05)
    with FakeServer(in_turn(closing_after(b""))) as server, pytest.raises(ProbeError):
        BanLists(str(server.path), PLENTY)
    with FakeServer(Honest()) as server, BanLists(str(server.path), PLENTY) as lists:
        server.close()
        with pytest.raises(ProbeError):
            lists.look(["sshd"])
