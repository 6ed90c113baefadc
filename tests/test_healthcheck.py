"""A container engine restarts, or leaves alone, what this says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from exporter import healthcheck
from exporter.web.config.loading import load
from tests.web.certificates import Certificates, write_web_config
from tests.web.serving import Serving


@contextmanager
def _answering(status: int, body: str) -> Iterator[int]:
    """A server that answers every request for the exporter's health alike; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104 - connected to
def test_a_healthy_exporter_passes_however_its_address_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    with _answering(200, "OK") as port:
        monkeypatch.setenv("FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS", f"{host}:{port}, [::1]:1")

        assert healthcheck.main() == 0
    assert capsys.readouterr().err == ""


def test_an_unhealthy_exporter_fails_with_the_reason_it_gave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _answering(503, "the prober has not beaten for 101 s") as port:
        monkeypatch.setenv("FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS", f":{port}")

        assert healthcheck.main() == 1
    assert capsys.readouterr().err == "unhealthy: 503 Service Unavailable: the prober has not beaten for 101 s\n"


def test_a_port_that_nobody_listens_on_fails() -> None:
    with _answering(200, "OK") as port:
        pass

    fault = healthcheck.check(f"127.0.0.1:{port}")

    assert fault is not None
    assert fault.startswith(f"no answer from 127.0.0.1:{port}: ")


def test_an_address_that_makes_no_sense_fails_with_a_sentence() -> None:
    fault = healthcheck.check("9191")

    assert fault is not None
    assert "'9191' has no port" in fault


@pytest.mark.parametrize("status", [401, 429])
def test_an_exporter_that_lets_it_in_no_further_lives(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with _answering(status, "") as port:
        monkeypatch.setenv("FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS", f":{port}")

        assert healthcheck.main() == 0


def test_over_tls_it_asks_for_the_same(tmp_path: Path) -> None:
    security = load(write_web_config(Certificates(tmp_path).folder)).security

    with Serving(security=security) as serving:  # whose routes are not the exporter's
        assert healthcheck.check(f"127.0.0.1:{serving.port}") == "404 Not Found: Not Found"


def test_an_exporter_that_wants_a_certificate_lives(tmp_path: Path) -> None:
    mutual = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
    for version in ("TLS12", "TLS13"):
        certificates = Certificates(tmp_path)
        path = write_web_config(certificates.folder, f"{mutual}  min_version: {version}\n  max_version: {version}\n")

        with Serving(security=load(path).security) as serving:
            assert healthcheck.check(f"127.0.0.1:{serving.port}") is None
