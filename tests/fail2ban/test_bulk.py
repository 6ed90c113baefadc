"""Off the probe's path fail2ban is asked for more, and still for nothing that it has not."""

import pytest

from exporter.fail2ban import Bulk, JailAction
from exporter.fail2ban.failures import ProbeError, ProtocolError
from tests.fakes import FakeJail, FakeServer, Honest, UnknownJailException, bad, good, silent

PLENTY = 60.0
ACTIONS: dict[tuple[str, ...], bytes] = {
    ("get", "sshd", "actions"): good(["nftables", "--all", "mail"]),
    ("get", "sshd", "actionproperties", "nftables"): good(["actionban", "addr_set", "banEpoch", "timeout", "password"]),
    ("get", "sshd", "actionproperties", "mail"): bad(KeyError("mail")),
    ("get", "sshd", "action", "nftables", "actionban"): good("nft add element …"),
    ("get", "sshd", "action", "nftables", "addr_set"): good("addr-set-<name>"),
}


def test_of_an_action_only_those_properties_are_asked_for_that_it_has_and_that_say_where_it_bans() -> None:
    with FakeServer(Honest(replies=ACTIONS)) as server, Bulk(str(server.path), PLENTY) as bulk:
        found = bulk.actions(["sshd"])

        asked = [request[3:] for request in server.requests if request[2] == "action"]
        assert [["nftables", "actionban"], ["nftables", "addr_set"]] == asked
    nftables = JailAction("nftables", {"actionban": "nft add element …", "addr_set": "addr-set-<name>"})
    assert {"sshd": (nftables, JailAction("mail"))} == found


def test_an_action_without_words_for_its_properties_has_none() -> None:
    replies = ACTIONS | {
        ("get", "sshd", "action", "nftables", "actionban"): good(["a list"]),
        ("get", "sshd", "action", "nftables", "addr_set"): good("x" * 100_000),
    }
    with FakeServer(Honest(replies=replies)) as server, Bulk(str(server.path), PLENTY) as bulk:
        assert {"sshd": (JailAction("nftables"), JailAction("mail"))} == bulk.actions(["sshd"])


@pytest.mark.parametrize("version", ["0.11.2", "1.0.2", "1.1.1"])
def test_a_jail_that_vanishes_between_two_questions_is_left_out(version: str) -> None:
    replies: dict[tuple[str, ...], bytes] = {
        ("get", "sshd", "banip"): good(["192.0.2.1", "2001:db8::1", 7]),
        ("get", "web", "banip"): bad(UnknownJailException("web")),
    }
    script = Honest({"sshd": FakeJail(), "web": FakeJail()}, version, replies=replies)
    with FakeServer(script) as server, Bulk(str(server.path), PLENTY) as bulk:
        assert ["sshd", "web"] == bulk.jails()
        assert {"sshd": frozenset({"192.0.2.1", "2001:db8::1"})} == bulk.bans(["sshd", "web"])


def test_a_list_of_bans_of_over_4_mib_is_taken_and_one_of_over_16_is_not() -> None:
    ips = [f"2001:db8:{number // 65536:x}::{number % 65536:x}:1234:5678" for number in range(150_000)]
    assert len(good(ips)) > 4 * 1024 * 1024
    with FakeServer(Honest(replies={("get", "sshd", "banip"): good(ips)})) as server:
        with Bulk(str(server.path), PLENTY) as bulk:
            assert {"sshd": frozenset(ips)} == bulk.bans(["sshd"])

        server.script = Honest(replies={("get", "sshd", "banip"): good("x" * 17 * 1024 * 1024)})
        with Bulk(str(server.path), PLENTY) as bulk, pytest.raises(ProtocolError, match="over 16 MiB"):
            bulk.bans(["sshd"])


def test_what_is_no_list_of_bans_is_not_fail2ban() -> None:
    script = Honest(replies={("get", "sshd", "banip"): good("192.0.2.1")})
    with (
        FakeServer(script) as server,
        Bulk(str(server.path), PLENTY) as bulk,
        pytest.raises(ProtocolError, match="not fail2ban"),
    ):
        bulk.bans(["sshd"])


def test_one_deadline_counts_for_all_questions_together() -> None:
    with (
        FakeServer(silent) as server,
        Bulk(str(server.path), 0.1) as bulk,
        pytest.raises(ProbeError, match="no complete answer within"),
    ):
        bulk.jails()
