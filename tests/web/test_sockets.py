from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.addresses import ListenAddress
from exporter.web.sockets import AddressUnavailable, bind
from tests.nobody import as_nobody

NOT_OURS = "192.0.2.1"  # reserved for documentation (RFC 5737)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def bound(*texts: str) -> Iterator[list[socket.socket]]:
    sockets = bind([ListenAddress.parse(text) for text in texts])
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return port_of(sock)


@needs_ipv6
def test_all_interfaces_means_both_families_with_one_socket() -> None:
    with bound(":0") as [sock]:
        assert accepts("127.0.0.1", port_of(sock))
        assert accepts("::1", port_of(sock))


def test_all_interfaces_means_ipv4_where_the_kernel_has_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = -1, kind: int = -1, proto: int = -1) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, kind, proto)

    monkeypatch.setattr("exporter.web.sockets.socket.socket", without_ipv6)

    sockets = bind([ListenAddress("", 0)])

    monkeypatch.undo()
    with closing(sockets[0]) as sock:
        assert socket.AF_INET == sock.family
        assert accepts("127.0.0.1", port_of(sock))


def test_one_interface_is_only_that_one() -> None:
    with bound("127.0.0.1:0") as [sock]:
        assert accepts("127.0.0.1", port_of(sock))
        assert not accepts("127.0.0.2", port_of(sock))


@needs_ipv6
def test_an_ipv6_address_stands_beside_an_ipv4_address_with_the_same_port() -> None:
    port = free_port()
    with bound(f"0.0.0.0:{port}", f"[::]:{port}") as sockets:
        assert [socket.AF_INET, socket.AF_INET6] == [sock.family for sock in sockets]


def test_every_address_of_a_name_is_bound_once(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1")
    ]
    monkeypatch.setattr("exporter.web.sockets.socket.getaddrinfo", lambda *_, **__: found)

    with bound(f"exporter.test:{port}") as sockets:
        assert [("127.0.0.1", port), ("127.0.0.2", port)] == [sock.getsockname() for sock in sockets]


def test_a_name_that_has_an_ipv6_address_too_is_served_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr("exporter.web.sockets.socket.getaddrinfo", lambda *_, **__: found)

    with bound("exporter.test:0") as [sock]:
        assert "127.0.0.1" == sock.getsockname()[0]


def test_an_address_given_twice_is_no_conflict_with_itself() -> None:
    port = free_port()
    with bound(f"127.0.0.1:{port}", f"127.0.0.1:{port}") as sockets:
        assert 1 == len(sockets)


def test_a_restart_need_not_wait_for_the_connections_of_the_last_run() -> None:
    with bound("127.0.0.1:0") as [sock]:
        port = port_of(sock)
        client = socket.create_connection(("127.0.0.1", port))
        sock.settimeout(10)
        sock.accept()[0].close()  # the side that closes first keeps the port in TIME_WAIT
    client.close()

    with bound(f"127.0.0.1:{port}") as [sock]:
        assert accepts("127.0.0.1", port)


def test_a_burst_of_connections_waits_in_the_queue_and_is_not_refused() -> None:
    with bound("127.0.0.1:0") as [sock]:
        clients = [socket.create_connection(sock.getsockname(), timeout=0.9) for _ in range(500)]

        for client in clients:
            client.close()


def test_a_taken_address_is_named_with_what_to_do() -> None:
    with bound("127.0.0.1:0") as [taken]:
        address = f"127.0.0.1:{port_of(taken)}"

        with pytest.raises(AddressUnavailable) as refused:
            bind([ListenAddress.parse(address)])

    assert f"address already in use: {address}; stop the other program or choose another --web.listen-address" == str(
        refused.value
    )


def test_a_port_taken_on_one_interface_is_named_when_all_are_asked_for() -> None:
    with bound("127.0.0.1:0") as [taken]:
        port = port_of(taken)

        with pytest.raises(AddressUnavailable, match=f"^address already in use: :{port};"):
            bind([ListenAddress("", port)])


@pytest.mark.skipif(
    Path("/proc/sys/net/ipv4/ip_nonlocal_bind").read_text(encoding="ascii").strip() != "0",
    reason="this machine binds addresses that it does not have",
)
def test_an_address_of_another_machine_is_named_with_what_to_do() -> None:
    with pytest.raises(AddressUnavailable) as refused:
        bind([ListenAddress(NOT_OURS, 9191)])

    assert (
        f"address is not one of this machine's: {NOT_OURS}:9191; "
        "choose another --web.listen-address, or :9191 for all interfaces" == str(refused.value)
    )


@pytest.mark.skipif(
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii").strip() == "0",
    reason="this machine has no privileged ports",
)
def test_a_privileged_port_is_named_with_what_to_do() -> None:
    with as_nobody(), pytest.raises(AddressUnavailable) as refused:
        bind([ListenAddress("127.0.0.1", 1)])

    assert "no permission to listen on 127.0.0.1:1; ports below" in str(refused.value)
    assert "CAP_NET_BIND_SERVICE" in str(refused.value)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), id="unknown"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), id="no resolver"),
    ],
)
def test_a_name_without_an_address_is_named_with_the_cause(
    monkeypatch: pytest.MonkeyPatch, fault: socket.gaierror
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("exporter.web.sockets.socket.getaddrinfo", fail)

    with pytest.raises(AddressUnavailable) as refused:
        bind([ListenAddress("no-such-host", 9191)])

    assert f"cannot resolve the host of no-such-host:9191: {fault.strerror}; " in str(refused.value)


def test_a_name_that_no_resolver_takes_is_named() -> None:
    with pytest.raises(AddressUnavailable, match=r"^cannot resolve the host of no\.\.such\.host:9191: "):
        bind([ListenAddress("no..such.host", 9191)])


def test_a_failure_closes_what_was_opened_before_it() -> None:
    port = free_port()
    with bound("127.0.0.1:0") as [taken], pytest.raises(AddressUnavailable):
        bind([ListenAddress("127.0.0.1", port), ListenAddress("127.0.0.1", port_of(taken))])

    assert not accepts("127.0.0.1", port)


def test_a_failure_at_one_address_of_a_name_closes_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.1", NOT_OURS)]
    monkeypatch.setattr("exporter.web.sockets.socket.getaddrinfo", lambda *_, **__: found)

    with pytest.raises(AddressUnavailable):
        bind([ListenAddress("exporter.test", port)])

    monkeypatch.undo()
    assert not accepts("127.0.0.1", port)
