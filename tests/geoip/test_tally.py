"""Bans are counted by what they are and where they come from, and never take more series than are bounded."""

from collections import Counter

import pytest

from exporter.geoip.addresses import address_of
from exporter.geoip.records import asn_of, country_of
from exporter.geoip.tally import MAX_ROWS, bounded, count


@pytest.mark.parametrize(
    ("ban", "family", "address"),
    [
        ("192.0.2.1", "ipv4", "192.0.2.1"),
        ("2001:db8::1", "ipv6", "2001:db8::1"),
        ("::ffff:192.0.2.1", "ipv4", "192.0.2.1"),
        ("::ffff:c000:201", "ipv4", "192.0.2.1"),
        ("192.0.2.0/24", "ipv4", "192.0.2.0"),
        ("0.0.0.0/0", "ipv4", "0.0.0.0"),  # noqa: S104
        ("2001:db8::/32", "ipv6", "2001:db8::"),
        ("::ffff:192.0.2.0/120", "ipv4", "192.0.2.0"),
        ("::/0", "ipv6", "::"),
        ("::ffff:0.0.0.0/95", "ipv6", "::ffff:0.0.0.0"),
        ("192.0.2.0/33", "other", None),
        ("2001:db8::/129", "other", None),
        ("192.0.2.0/", "other", None),
        ("192.0.2.0/255.255.255.0", "other", None),
        ("192.0.2.0/²", "other", None),
        ("192.0.2.1.evil.example", "other", None),
        ("192.0.2", "other", None),
        ("fe80::1%eth0", "other", None),
        ("host.example", "other", None),
        ("root", "other", None),
        ("user:name", "other", None),
        ("nul\0", "other", None),
        ("\udcff", "other", None),
        ("", "other", None),
    ],
)
def test_a_ban_is_of_a_family_and_looked_up_by_its_address(ban: str, family: str, address: str | None) -> None:
    assert (family, address) == address_of(ban)


@pytest.mark.parametrize(
    ("record", "label"),
    [
        ({"country": {"iso_code": "DE"}}, "DE"),
        ({"country_code": "DE", "country": "Germany"}, "DE"),
        ({"country": "DE"}, "DE"),
        ({"country": "Germany"}, "unknown"),
        ({"country": {"iso_code": "de"}}, "unknown"),
        ({"country": {"iso_code": "DEU"}}, "unknown"),
        ({"country": {"iso_code": ["DE"]}}, "unknown"),
        ({"country": {"iso_code": 'D"'}}, "unknown"),
        ({"country": {}}, "unknown"),
        ({"registered_country": {"iso_code": "DE"}}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
        ("DE", "unknown"),
        (["country"], "unknown"),
    ],
)
def test_a_country_is_two_letters_or_unknown(record: object, label: str) -> None:
    assert label == country_of(record)


@pytest.mark.parametrize(
    ("record", "label"),
    [
        ({"autonomous_system_number": 64500}, "AS64500"),
        ({"asn": "AS64500"}, "AS64500"),
        ({"asn": "64500"}, "unknown"),
        ({"asn": "AS64500\n"}, "unknown"),
        ({"asn": "AS99999999999"}, "unknown"),
        ({"autonomous_system_number": 2**32}, "unknown"),
        ({"autonomous_system_number": -1}, "unknown"),
        ({"autonomous_system_number": True}, "unknown"),
        ({"autonomous_system_number": "64500"}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_an_autonomous_system_is_its_number_or_unknown(record: object, label: str) -> None:
    assert label == asn_of(record)


def test_every_ban_counts_once_by_family_and_once_by_each_database() -> None:
    bans = {"sshd": ["192.0.2.1", "192.0.2.2", "2001:db8::1", "root"], "web": []}

    tables = count(bans, {"country": lambda address: "NL" if ":" in address else "DE"})

    assert {"sshd": {"ipv4": 2, "ipv6": 1, "other": 1}, "web": {"ipv4": 0, "ipv6": 0, "other": 0}} == tables["family"]
    assert {"sshd": {"DE": 2, "NL": 1, "unknown": 1}, "web": {}} == tables["country"]


def test_labels_past_the_limit_are_other_and_those_with_the_most_bans_in_all_jails_are_kept() -> None:
    table = {
        "sshd": Counter({"AS1": 5, "AS2": 4, "AS3": 3, "unknown": 9}),
        "web": Counter({"AS3": 3, "AS4": 1}),
    }

    assert {
        "sshd": {"AS1": 5, "AS3": 3, "other": 4, "unknown": 9},
        "web": {"AS3": 3, "other": 1},
    } == bounded(table, 2)


def test_of_labels_with_as_many_bans_those_are_kept_that_come_first_so_that_series_stay() -> None:
    table = {"sshd": Counter({"AS3": 1, "AS1": 1, "AS2": 1})}

    assert {"sshd": {"AS1": 1, "AS2": 1, "other": 1}} == bounded(table, 2)


@pytest.mark.parametrize("jails", [1, 40, 200, 20_000])
def test_no_number_of_jails_countries_or_bans_makes_more_series_than_are_bounded(jails: int) -> None:
    codes = [chr(65 + one) + chr(65 + two) for one in range(26) for two in range(26)]
    some = codes if jails <= 200 else codes[:5]
    table = {f"jail{number}": Counter(dict.fromkeys([*some, "unknown"], 7)) for number in range(jails)}

    rows = bounded(table)

    assert max(MAX_ROWS, jails) + 2 * jails >= sum(map(len, rows.values()))
    assert all(7 * (len(some) + 1) == sum(labels.values()) for labels in rows.values())


def test_all_countries_there_are_are_told_apart_in_as_many_as_forty_jails() -> None:
    codes = [chr(65 + one) + chr(65 + two) for one in range(26) for two in range(26)][:250]
    table = {f"jail{number}": Counter(codes) for number in range(40)}

    assert all(Counter(codes) == labels for labels in bounded(table).values())
