"""One jail watched beside the probes: cheap, read-only, and never taken for another process's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from exporter.fail2ban import JailWatch, ProbeError
from exporter.fail2ban.failures import ConnectionEndedError, ProbeTimeoutError, SocketMissingError
from tests.fakes import FakeJail, FakeServer, Honest, bad, good, in_turn, silent

JAILS = {"sshd": FakeJail(bans=40), "canary": FakeJail(bans=7, maxretry=3)}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fail2ban 1.1.1 that answers honestly."""
    with FakeServer(Honest(JAILS)) as running:
        yield running


@pytest.mark.parametrize(
    ("version", "asked"),
    [
        pytest.param("1.1.1", ["status", "canary", "short"], id="1.1"),
        pytest.param("1.0.2", ["status", "canary", "short"], id="1.0"),
        pytest.param("0.10.6", ["status", "canary"], id="0.10"),
    ],
)
def test_only_the_one_jail_is_asked_for_and_without_its_addresses_where_that_can_be(
    version: str, asked: list[str], server: FakeServer
) -> None:
    server.script = Honest(JAILS, version=version)

    with closing(JailWatch(str(server.path), "canary", 10.0)) as jail:
        assert (7, 3, 7) == (jail.bans(), jail.max_retries(), jail.bans())

    assert server.requests == [["version"], asked, ["get", "canary", "maxretry"], asked]
    assert server.connections == 1


def test_a_jail_that_does_not_run_has_no_bans(server: FakeServer) -> None:
    with closing(JailWatch(str(server.path), "gone", 10.0)) as jail:
        assert jail.bans() is None


def test_another_error_of_fail2bans_is_not_taken_for_a_missing_jail(server: FakeServer) -> None:
    server.script = Honest(JAILS, replies={("status", "canary", "short"): bad(Exception("database is locked"))})

    with closing(JailWatch(str(server.path), "canary", 10.0)) as jail, pytest.raises(ProbeError):
        jail.bans()


def test_the_end_of_the_server_ends_the_watch_even_if_another_is_there_at_once(server: FakeServer) -> None:
    with closing(JailWatch(str(server.path), "canary", 10.0)) as jail:
        assert jail.bans() == 7
        server.script = Honest({"canary": FakeJail(bans=99)})
        server.drop_all()

        with pytest.raises(ConnectionEndedError):
            jail.bans()


def test_a_server_that_hangs_costs_no_more_than_the_patience(server: FakeServer) -> None:
    server.script = silent

    with pytest.raises(ProbeTimeoutError):
        JailWatch(str(server.path), "canary", 0.05)


def test_a_count_that_is_none_is_not_believed(server: FakeServer) -> None:
    server.script = in_turn(Honest(JAILS, replies={("get", "canary", "maxretry"): good("many")}))

    with closing(JailWatch(str(server.path), "canary", 10.0)) as jail, pytest.raises(ProbeError):
        jail.max_retries()


def test_without_a_server_there_is_nothing_to_watch(server: FakeServer) -> None:
    with pytest.raises(SocketMissingError):
        JailWatch(f"{server.path}.gone", "canary", 10.0)
