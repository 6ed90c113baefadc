"""Who comes from where: a crowd is known by its address, of IPv6 by its network."""

from __future__ import annotations

import pytest

from exporter.web.origins import ByOrigin


def of(*addresses: str) -> ByOrigin[int]:
    """Clients 0, 1, 2 and so on, from these addresses."""
    clients: ByOrigin[int] = ByOrigin()
    for client, address in enumerate(addresses):
        clients.add(client, address)
    return clients


def test_they_stand_in_the_order_in_which_they_came() -> None:
    clients = of("10.0.0.1", "10.0.0.2", "10.0.0.1")

    clients.remove(0)
    clients.add(0, "10.0.0.1")

    assert [1, 2, 0] == list(clients)
    assert 1 == clients.first()
    assert 0 in clients


@pytest.mark.parametrize(
    "addresses",
    [
        ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.2"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:2:ffff::"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", "::ffff:10.0.0.3", "::ffff:10.0.0.2"),
        ("fe80::1%eth0", "fe80:0:0:1::1%eth0", "", "fe80:0:0:1::2%eth1"),
        ("10.0.0.1", "", "10.0.0.2", ""),
    ],
)
def test_the_crowd_is_from_the_address_that_most_have_come_from(addresses: tuple[str, ...]) -> None:
    clients = of(*addresses)

    assert clients.first_of_crowd(3) is None
    assert 1 == clients.first_of_crowd(2)


def test_one_that_leaves_twice_is_counted_once() -> None:
    clients = of("10.0.0.1", "10.0.0.1", "10.0.0.1")

    clients.remove(0)
    clients.remove(0)

    assert 1 == clients.first_of_crowd(2)
    assert clients.first_of_crowd(3) is None


def test_without_any_there_is_no_first_and_no_crowd() -> None:
    clients = of("10.0.0.1")

    clients.clear()

    assert clients.first() is None
    assert clients.first_of_crowd(1) is None
    assert 0 == len(clients)
