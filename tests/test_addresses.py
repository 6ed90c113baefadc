from __future__ import annotations

import pytest

from exporter.addresses import ListenAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        pytest.param(":9191", "", 9191, id="all interfaces"),
        pytest.param("127.0.0.1:9191", "127.0.0.1", 9191, id="IPv4"),
        pytest.param("0.0.0.0:9191", "0.0.0.0", 9191, id="every IPv4 interface"),  # noqa: S104 - parsed, never bound
        pytest.param("localhost:80", "localhost", 80, id="host name"),
        pytest.param("metrics.example.org.:443", "metrics.example.org.", 443, id="absolute host name"),
        pytest.param("fail2ban_exporter:9191", "fail2ban_exporter", 9191, id="name of a container"),
        pytest.param("[::1]:9191", "::1", 9191, id="IPv6"),
        pytest.param("[::]:2", "::", 2, id="every IPv6 interface"),
        pytest.param("[fe80::1%eth0]:9191", "fe80::1%eth0", 9191, id="IPv6 with its interface"),
        pytest.param(":0", "", 0, id="any free port"),
        pytest.param(":65535", "", 65535, id="the highest port"),
    ],
)
def test_an_address_is_read_and_written_back_as_it_was(text: str, host: str, port: int) -> None:
    address = ListenAddress.parse(text)

    assert address == ListenAddress(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "has no port", id="nothing"),
        pytest.param("9191", "has no port", id="port without colon"),
        pytest.param("localhost", "has no port", id="host alone"),
        pytest.param("[::1]", "has the port '1]'", id="IPv6 alone"),
        pytest.param("::1:9191", "IPv6 address without brackets", id="IPv6 without brackets"),
        pytest.param("::9191", "IPv6 address without brackets", id="two colons"),
        pytest.param("[localhost]:9191", "no valid IPv6 address in its brackets", id="name in brackets"),
        pytest.param("[127.0.0.1]:9191", "no valid IPv6 address in its brackets", id="IPv4 in brackets"),
        pytest.param("[]:9191", "no valid IPv6 address in its brackets", id="empty brackets"),
        pytest.param("localhost:", "has the port ''", id="empty port"),
        pytest.param("localhost:http", "has the port 'http'", id="port by name"),
        pytest.param("localhost:65536", "has the port '65536'", id="port too high"),
        pytest.param("localhost:-1", "has the port '-1'", id="negative port"),
        pytest.param("localhost:+80", "has the port '+80'", id="port with a sign"),
        pytest.param("localhost:8_0", "has the port '8_0'", id="port with an underscore"),
        pytest.param("localhost:\u0661", "has the port '\u0661'", id="digit of another script"),
        pytest.param("localhost: 9191", "has the port ' 9191'", id="space before the port"),
        pytest.param("local host:9191", "has the host 'local host'", id="space in the host"),
        pytest.param(" :9191", "has the host ' '", id="space for a host"),
        pytest.param("http://localhost:9191", "has the host 'http://localhost'", id="URL"),
        pytest.param("*:9191", "has the host '*'", id="star"),
    ],
)
def test_anything_else_is_refused_by_naming_the_fault_and_what_is_accepted(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="expected host:port, :port") as refused:
        ListenAddress.parse(text)

    assert fault in str(refused.value)
    assert repr(text) in str(refused.value)
