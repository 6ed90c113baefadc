"""TLS, client certificates and passwords, as the real Prometheus and the exporter's own tools meet them."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from exporter.web.config.loading import load
from exporter.web.limits import Limits
from tests import programs
from tests.ended import Ended
from tests.exporter_program import MEMORY_BOUND, ExporterProgram, without_developers_packages
from tests.integration.conftest import MakeFail2ban, RunExporter
from tests.real_fail2ban import Jail
from tests.waiting import DEADLINE, wait_until
from tests.web.certificates import Certificates, write_web_config
from tests.web.serving import Client, Serving

ALICE = "alice:open sesame"
MUTUAL = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


def users(*names: str) -> str:
    """The users of a web config file, all with alice's password."""
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    return "basic_auth_users:\n" + "".join(f"  {name}: {hashed}\n" for name in names)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path)
    made.issue("prometheus", "prometheus.example")
    return made


class Prometheus(Ended):
    """The real one, scraping five times a second; ended with its block."""

    def __init__(
        self, folder: Path, jobs: Mapping[str, Mapping[str, object]], version: str = "prometheus-2.42"
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        configuration = {
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
            "scrape_configs": [{"job_name": name, **job} for name, job in jobs.items()],
        }
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        self._process = subprocess.Popen(
            [
                programs.program(version) / "usr/bin/prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def targets(self) -> dict[str, str]:
        """What it says of each job: nothing while all is well, else the fault; no job before its first scrape."""
        found = self._get("targets")["activeTargets"]
        return {each["labels"]["job"]: each["lastError"] for each in found if each["health"] != "unknown"}

    def value(self, query: str) -> float | None:
        """The one value of a query, None where there is none."""
        result = self._get("query?" + urllib.parse.urlencode({"query": query}))["result"]
        return float(result[0]["value"][1]) if result else None

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}", timeout=DEADLINE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return {"activeTargets": [], "result": []}  # it has not started yet


def job(exporter: ExporterProgram | Serving, certificates: Certificates, **more: object) -> dict[str, object]:
    """How Prometheus is told to scrape an exporter whose authority it trusts."""
    trust = {"ca_file": str(certificates.folder / "ca.pem")}
    tls = more.pop("tls_config", {})
    assert isinstance(tls, dict)
    return {
        "scheme": "https",
        "static_configs": [{"targets": [f"localhost:{exporter.port}"]}],
        "tls_config": trust | tls,
        **more,
    }


def password(text: str) -> dict[str, str]:
    """Alice with a password."""
    return {"username": "alice", "password": text}


def test_prometheus_scrapes_by_tls_alone(run_exporter: RunExporter, certificates: Certificates, tmp_path: Path) -> None:
    exporter = run_exporter(
        f"--web.config.file={write_web_config(tmp_path)}", command="demo", tls=certificates.client()
    )

    with Prometheus(tmp_path, {"tls": job(exporter, certificates)}) as prometheus:
        wait_until(lambda: prometheus.value("fail2ban_up") == 1, "it has scraped")

        assert {"tls": ""} == prometheus.targets()


@pytest.mark.parametrize("version", ["prometheus-2.42", "prometheus-3.5"])
def test_prometheus_greets_twice_where_it_is_asked_to(certificates: Certificates, tmp_path: Path, version: str) -> None:
    """As everybody is while many TLS clients have greeted and say no more; Go's TLS changes from release to release."""
    security = load(write_web_config(tmp_path, MUTUAL)).security
    shown = {"tls_config": {"cert_file": f"{tmp_path}/prometheus.pem", "key_file": f"{tmp_path}/prometheus.key"}}

    with (
        Serving(limits=Limits(unasked=0), security=security) as serving,
        Prometheus(tmp_path, {"asked": job(serving, certificates, **shown)}, version) as prometheus,
    ):
        wait_until(lambda: prometheus.value("up") == 1, "it has scraped")

        assert {"asked": ""} == prometheus.targets()


def test_prometheus_scrapes_by_tls_with_certificate_and_password_and_in_no_other_way(
    run_exporter: RunExporter, certificates: Certificates, tmp_path: Path
) -> None:
    exporter = run_exporter(
        f"--web.config.file={write_web_config(tmp_path, MUTUAL + users('alice'))}",
        command="demo",
        tls=certificates.client("prometheus"),
        user=ALICE,
    )
    assert exporter.value("fail2ban_exporter_auth_failures_total") == 0
    shown = {"tls_config": {"cert_file": f"{tmp_path}/prometheus.pem", "key_file": f"{tmp_path}/prometheus.key"}}
    right = {"basic_auth": password("open sesame")}
    jobs: dict[str, dict[str, object]] = {
        "right": job(exporter, certificates, **shown, **right),
        "wrong password": job(exporter, certificates, **shown, basic_auth=password("open barley")),
        "no password": job(exporter, certificates, **shown),
        "no certificate": job(exporter, certificates, **right),
        "no trust": job(exporter, certificates, tls_config=shown["tls_config"] | {"ca_file": ""}, **right),
        "plain": {"static_configs": [{"targets": [f"localhost:{exporter.port}"]}], **right},
    }

    with Prometheus(tmp_path, jobs) as prometheus:
        wait_until(lambda: len(prometheus.targets()) == len(jobs), "it has scraped")
        wait_until(lambda: prometheus.value("fail2ban_up") == 1, "it has scraped in the right way")
        faults = prometheus.targets()

    assert "" == faults["right"]
    assert "401" in faults["wrong password"]
    assert "401" in faults["no password"]
    assert "bad certificate" in faults["no certificate"] or "certificate required" in faults["no certificate"]
    assert "certificate" in faults["no trust"]
    assert "400" in faults["plain"]
    counted = "fail2ban_exporter_auth_failures_total"
    wait_until(lambda: (exporter.value(counted) or 0) >= 2, "both refusals are counted")
    assert "Traceback" not in exporter.log()


def test_prometheus_loses_no_scrape_while_certificates_and_users_are_replaced(
    run_exporter: RunExporter, certificates: Certificates, tmp_path: Path
) -> None:
    path = write_web_config(tmp_path, users("alice"))
    exporter = run_exporter(f"--web.config.file={path}", command="demo", tls=certificates.client(), user=ALICE)
    right = job(exporter, certificates, basic_auth=password("open sesame"))

    with Prometheus(tmp_path, {"right": right}) as prometheus:
        wait_until(lambda: prometheus.value("up") == 1, "it scrapes")
        for number in range(3):
            certificates.issue("server", "localhost", "127.0.0.1")
            write_web_config(tmp_path, users("alice", f"user{number}"))
            wait_until(partial(has_taken_over, exporter, certificates, number), "the change is taken over")
        scrapes = prometheus.value("count_over_time(up[1h])") or 0

        assert scrapes > 5
        assert 1 == prometheus.value("min_over_time(up[1h])")
    assert [] == exporter.events("web_config_faulty")


def has_taken_over(exporter: ExporterProgram, certificates: Certificates, number: int) -> bool:
    """Whether the exporter serves the latest certificate and knows the latest user."""
    served = ssl.get_server_certificate(("127.0.0.1", exporter.port))
    knows = [line for line in exporter.events("web_config_loaded") if f"user{number}" in line]
    return certificates.text("server.pem").startswith(served.rstrip()) and bool(knows)


def test_a_broken_file_changes_nothing_and_shows_in_log_and_metrics(
    run_exporter: RunExporter, certificates: Certificates, tmp_path: Path
) -> None:
    path = write_web_config(tmp_path, users("alice"))
    exporter = run_exporter(f"--web.config.file={path}", command="demo", tls=certificates.client(), user=ALICE)
    assert exporter.value("fail2ban_exporter_config_last_reload_successful") == 1

    write_web_config(tmp_path, "  colour: red\n")
    exporter.wait_for("fail2ban_exporter_config_last_reload_successful", 0)
    exporter.hang_up()
    wait_until(lambda: len(exporter.events("reload_failed")) == 1, "SIGHUP finds the same")
    assert exporter.get("/metrics").status == 200
    (fault,) = exporter.events("web_config_faulty")
    assert "unknown key tls_server_config.colour" in fault

    write_web_config(tmp_path, users("bob"))
    exporter.hang_up()
    wait_until(lambda: exporter.get("/metrics").status == 401, "alice is no longer known")


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A web config file with three faults."""
    return write_web_config(tmp_path, "  min_version: TLS10\n")


@pytest.mark.parametrize("command", ["check-config", "serve", "demo"])
def test_every_fault_of_the_file_is_named_beside_those_of_other_settings(faulty: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", command, f"--web.config.file={faulty}", "--log.level=loud"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert 2 == done.returncode
    for part in ("log.level: 'loud'", "'TLS10'", "server.pem", "server.key"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_check_config_is_content_with_a_good_file(certificates: Certificates) -> None:
    path = write_web_config(certificates.folder, users("alice"))

    done = subprocess.run(
        [sys.executable, "-m", "exporter", "check-config", f"--web.config.file={path}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert f"web.config.file = {path}\n" in done.stdout


@pytest.mark.parametrize(
    ("text", "client", "user"),
    [("", "", ""), (users("alice"), "", ALICE), (MUTUAL + users("alice"), "prometheus", ALICE)],
    ids=["anybody", "a password", "a certificate and a password"],
)
def test_the_health_check_knows_an_exporter_that_would_not_let_it_in(
    run_exporter: RunExporter, certificates: Certificates, text: str, client: str, user: str
) -> None:
    path = write_web_config(certificates.folder, text)
    exporter = run_exporter(f"--web.config.file={path}", command="demo", tls=certificates.client(client), user=user)

    done = subprocess.run(
        [sys.executable, "-m", "exporter.healthcheck"],
        env={**os.environ, "FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS": f":{exporter.port}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_with_tls_users_and_50_jails_it_stays_small_and_ends_at_once(
    make_fail2ban: MakeFail2ban, run_exporter: RunExporter, certificates: Certificates
) -> None:
    server = make_fail2ban("1.1.1", [Jail(f"jail-{number}") for number in range(50)])
    server.start()
    path = write_web_config(certificates.folder, users("alice"))
    flags = (f"--fail2ban.socket={server.socket}", "--probe.interval=10ms", f"--web.config.file={path}")
    environment = without_developers_packages(certificates.folder)
    exporter = run_exporter(*flags, tls=certificates.client(), user=ALICE, environment=environment)
    exporter.wait_for("fail2ban_jails", 50)
    for _ in range(50):
        exporter.scrape()
        exporter.get("/")
        exporter.get("/metrics", {"Accept": "application/openmetrics-text", "Accept-Encoding": "identity"})

    resident = exporter.resident_bytes()
    status, seconds = exporter.stop()

    print(f"{resident / 1e6:.1f} MB; ended after {seconds:.2f} s")
    assert resident < MEMORY_BOUND
    assert 0 == status
    assert seconds < 2.0


def test_a_slow_hash_keeps_nobody_else_waiting_and_the_end_neither(
    run_exporter: RunExporter, certificates: Certificates
) -> None:
    """A check of cost 20 takes a minute and more."""
    slow = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode().replace("$04$", "$20$")
    path = write_web_config(certificates.folder, f"{users('alice')}  slow: {slow}\n")
    exporter = run_exporter(f"--web.config.file={path}", tls=certificates.client(), user=ALICE)
    with Client(exporter.port, tls=certificates.client()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\nAuthorization: Basic c2xvdzp4\r\n\r\n")

        for _ in range(20):
            assert exporter.get("/metrics").status == 200
        status, seconds = exporter.stop()

    assert 0 == status
    assert seconds < 2.0


@pytest.fixture
def anybody() -> Iterator[str]:
    """An address that others than this machine can reach, if nothing else stops them."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - that is what is tested
        yield "--web.listen-address=0.0.0.0:0"


def test_the_log_warns_where_anybody_can_reach_it_and_says_what_they_can_do(
    run_exporter: RunExporter, anybody: str
) -> None:
    (line,) = run_exporter(anybody).events("open_to_anybody")
    assert "level=warning" in line
    assert "they_can=read" in line
    assert "--web.config.file" in line

    (line,) = run_exporter(anybody, "--web.enable-lifecycle").events("open_to_anybody")
    assert "reload and report activations" in line


def test_the_log_does_not_warn_where_clients_are_known_or_on_this_machine(
    run_exporter: RunExporter, certificates: Certificates, anybody: str
) -> None:
    path = write_web_config(certificates.folder, users("alice"))

    assert [] == run_exporter().events("open_to_anybody")
    guarded = run_exporter(anybody, f"--web.config.file={path}", tls=certificates.client(), user=ALICE)
    assert [] == guarded.events("open_to_anybody")
