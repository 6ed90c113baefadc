"""Bans and firewall may write one address in two ways, and a network may hold a thousand bans."""

import random
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

import pytest

from exporter.firewall.addresses import AddressSet


def _missing(holds: AddressSet, *bans: str) -> set[str]:
    return set(holds.look_up(bans).missing)


@pytest.mark.parametrize(
    ("holds", "ban"),
    [
        pytest.param(AddressSet(["192.0.2.1"]), "192.0.2.1", id="the same text"),
        pytest.param(AddressSet(["2001:DB8:0::1"]), "2001:db8::1", id="another way to write it"),
        pytest.param(AddressSet(["192.0.2.1"]), "::ffff:192.0.2.1", id="IPv4 as IPv6"),
        pytest.param(AddressSet(["::ffff:192.0.2.1"]), "192.0.2.1", id="IPv6 for IPv4"),
        pytest.param(AddressSet(spans=[("192.0.2.0/24", "192.0.2.0/24")]), "192.0.2.255", id="in a network"),
        pytest.param(AddressSet(spans=[("192.0.2.5", "192.0.2.9")]), "192.0.2.5", id="first of a range"),
        pytest.param(AddressSet(spans=[("192.0.2.5", "192.0.2.9")]), "192.0.2.9", id="last of a range"),
        pytest.param(AddressSet(spans=[("2001:db8::/32", "2001:db8::/32")]), "2001:db8:1::/64", id="a network in one"),
        pytest.param(
            AddressSet(spans=[("192.0.2.0/25", "192.0.2.0/25"), ("192.0.2.128", "192.0.2.255")]),
            "192.0.2.0/24",
            id="a network in two that touch",
        ),
    ],
)
def test_a_ban_that_is_there_is_found_however_it_is_written(holds: AddressSet, ban: str) -> None:
    assert set() == _missing(holds, ban)


@pytest.mark.parametrize(
    ("holds", "ban"),
    [
        pytest.param(AddressSet(), "192.0.2.1", id="nothing"),
        pytest.param(AddressSet(spans=[("192.0.2.5", "192.0.2.9")]), "192.0.2.10", id="behind a range"),
        pytest.param(AddressSet(spans=[("192.0.2.5", "192.0.2.9")]), "192.0.2.4", id="before a range"),
        pytest.param(
            AddressSet(spans=[("192.0.2.0", "192.0.2.127")]), "192.0.2.0/24", id="a network of which half is there"
        ),
        pytest.param(AddressSet(["192.0.2.0"]), "192.0.2.0/24", id="a network of which one address is there"),
        pytest.param(AddressSet(spans=[("::", "::ff")]), "0.0.0.1", id="the same number in the other version"),
        pytest.param(AddressSet(spans=[("192.0.2.1", "2001:db8::1")]), "192.0.2.1", id="a range that is none"),
    ],
)
def test_a_ban_that_is_not_there_is_missed(holds: AddressSet, ban: str) -> None:
    assert {ban} == _missing(holds, ban)


def test_what_is_no_address_is_neither_there_nor_missing() -> None:
    found = AddressSet(["192.0.2.1"]).look_up(["192.0.2.1", "alice", "192.0.2.300", ""])

    assert (frozenset(), frozenset({"alice", "192.0.2.300", ""})) == (found.missing, found.no_address)


def test_ranges_hold_what_python_says_that_they_hold() -> None:
    dice = random.Random(7)  # noqa: S311 - a test that can be repeated
    for _ in range(200):
        networks = [
            ip_network((dice.randrange(2**12) << 20, dice.randint(14, 32)), strict=False)
            for _ in range(dice.randint(0, 8))
        ]
        bans = [str(IPv4Address(dice.randrange(2**32))) for _ in range(20)]
        bans += [
            str(IPv4Address(int(one.network_address) + dice.randint(-1, 2)))
            for one in networks
            if int(one.network_address)
        ]

        missing = _missing(AddressSet(spans=[(str(one), str(one)) for one in networks]), *bans)

        assert {ban for ban in bans if not any(ip_address(ban) in one for one in networks)} == missing
        assert all(isinstance(one, IPv4Network) for one in networks)
