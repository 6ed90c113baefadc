"""What docs/fleet.md has people copy must be sound, and do what the page says."""

import copy
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from exporter.compat import F2B
from exporter.families import Definition
from exporter.metrics import DEFINITIONS
from exporter.model import Enforcement
from exporter.snapshot import Snapshot
from tests.dashboards import queries
from tests.dashboards.rule_files import RULE_FILES
from tests.fleet import guide
from tests.fleet.conftest import HOSTS, Watched
from tests.fleet.program import Fleet
from tests.monitoring.prometheus import Prometheus
from tests.programs import program, promtool
from tests.snapshots import canary, firewall_check, jail, snapshot, success
from tests.waiting import wait_until
from tests.web.certificates import Certificates

PROMTOOLS: Final = pytest.mark.parametrize(
    "checker",
    [
        pytest.param(promtool, id="2.53"),
        pytest.param(lambda: program("prometheus-2.42") / "usr/bin/promtool", id="2.42"),
    ],
)
FOUND: Final = [
    {"__address__": f"{host}.example:9191", "env": "production", "site": "berlin"} for host in ("web1", "web2")
]


def installed(configuration: dict[str, Any], folder: Path) -> Path:
    """A configuration in a folder that has all files that the page speaks of."""
    (folder / "rules").mkdir()
    for rules in RULE_FILES:
        (folder / "rules" / rules.name).write_bytes(rules.read_bytes())
    (folder / "targets").mkdir()
    (folder / "targets" / "web.yml").write_text(yaml.safe_dump(guide.target_file()), encoding="utf-8")
    certificates = Certificates(folder)
    certificates.issue("prometheus", "prometheus.example")
    (folder / "ca.pem").rename(folder / "fail2ban-exporter-ca.pem")
    for name in ("inventory", "mimir", "fail2ban-exporter"):
        (folder / f"{name}.password").write_text("secret", encoding="ascii")
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return path


def check(checker: Path, *arguments: str | Path) -> str:
    """What promtool says, which must find no fault."""
    done = subprocess.run([checker, "check", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@PROMTOOLS
@pytest.mark.parametrize("number", range(len(guide.configurations())))
def test_promtool_finds_no_fault_in_any_configuration(checker: Callable[[], Path], number: int, tmp_path: Path) -> None:
    path = installed(guide.configurations()[number], tmp_path)

    check(checker(), "config", "--lint=all", "--lint-fatal", path)


def discovered(checker: Path, configuration: Path) -> list[dict[str, str]]:
    """The labels of the targets that Prometheus finds by a configuration."""
    printed = check(checker, "service-discovery", "--timeout=5s", configuration, "fail2ban")
    found = [target["discoveredLabels"] for target in json.loads(printed)]
    return sorted(
        ({name: value for name, value in labels.items() if name in FOUND[0]} for labels in found),
        key=lambda labels: labels["__address__"],
    )


@PROMTOOLS
def test_hosts_are_found_in_files_with_their_labels(checker: Callable[[], Path], tmp_path: Path) -> None:
    path = installed({"scrape_configs": [guide.job_with("file_sd_configs")]}, tmp_path)

    assert discovered(checker(), path) == FOUND


@PROMTOOLS
def test_hosts_are_found_by_http_with_their_labels(checker: Callable[[], Path], tmp_path: Path) -> None:
    job = copy.deepcopy(guide.job_with("http_sd_configs"))
    with inventory() as (url, asked):
        job["http_sd_configs"][0]["url"] = url
        path = installed({"scrape_configs": [job]}, tmp_path)

        assert discovered(checker(), path) == FOUND
    assert set(asked) == {"Basic cHJvbWV0aGV1czpzZWNyZXQ="}  # prometheus:secret


@contextmanager
def inventory() -> Iterator[tuple[str, list[str]]]:
    """An inventory that gives the page's answer; its address, and how those that asked said who they are."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            asked.append(self.headers.get("Authorization", ""))
            body = json.dumps(guide.inventory()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_what_is_left_away_to_save_is_used_by_no_rule_and_no_dashboard() -> None:
    (dropped,) = guide.job_with("metric_relabel_configs")["metric_relabel_configs"]
    assert (dropped["action"], dropped["regex"]) == ("drop", "python_.+")

    for path in (*RULE_FILES, *(queries.FOLDER / f"{name}.json" for name in queries.NAMES)):
        assert "python_" not in path.read_text(encoding="utf-8")


def test_the_series_of_a_host_are_as_many_as_the_page_says(fleet: Fleet) -> None:
    series = {jails: samples(fleet, number) for number, jails in ((0, 3), (2, 5), (4, 7))}
    each = (series[7] - series[3]) / 4

    said = re.search(r"some (\d+) series and (\d+) for each jail: (\d+) with five", guide.text())
    assert said is not None
    assert (round(series[5] - 5 * each, -1), each, series[5]) == tuple(map(int, said.groups()))


def samples(fleet: Fleet, number: int) -> int:
    """How many series a host shows."""
    return sum(1 for line in fleet.scraped(number).splitlines() if not line.startswith(b"#"))


def test_what_is_off_by_default_adds_as_many_series_as_the_page_says() -> None:
    jails = [jail(f"jail-{number}") for number in range(5)]
    plain = snapshot(success(*jails))
    checked = replace(plain, firewall=firewall_check(*(Enforcement(one.name, 1, 0) for one in jails)))
    one_less = rendered(snapshot(success(*jails[1:])), F2B)
    of_f2b = rendered(plain, F2B)

    said = re.search(
        r"canary adds (\d+); `--firewall.check` (\d+), and (\d+) for each jail; "
        r"`--metrics.compat=f2b` (\d+), and (\d+) for each jail",
        " ".join(guide.text().split()),
    )
    assert said is not None
    canarys, checks, checks_each, f2bs, f2bs_each = map(int, said.groups())
    base = rendered(plain, DEFINITIONS)
    assert rendered(replace(plain, canary=canary()), DEFINITIONS) - base == canarys
    assert rendered(checked, DEFINITIONS) - base == checks + 5 * checks_each
    assert of_f2b - one_less == f2bs_each
    assert of_f2b == f2bs + 5 * f2bs_each


def rendered(shown: Snapshot, definitions: Sequence[Definition]) -> int:
    """How many series some metrics have of a snapshot."""
    return sum(len(definition.family(shown).samples) for definition in definitions)


def test_of_what_is_sent_away_a_third_is_left(watched: Watched) -> None:
    (sent,) = (example["remote_write"] for example in guide.configurations() if "remote_write" in example)
    (kept,) = sent[0]["write_relabel_configs"]
    assert kept["action"] == "keep"
    prometheus = watched.observers["prometheus-3.5"]

    all_of_it = prometheus.query('count({__name__=~".+"})')[0][1]
    rest = prometheus.query(f'count({{__name__=~"{kept["regex"]}"}})')[0][1]

    assert 0.2 < rest / all_of_it < 0.4


@pytest.mark.timeout(600)
def test_the_one_above_gets_the_totals_of_a_site_and_no_host(watched: Watched, tmp_path: Path) -> None:
    site = watched.observers["prometheus-2.42"]
    job = {**guide.job_with("honor_labels"), "static_configs": [{"targets": [site.address]}], "scrape_interval": "1s"}

    with Prometheus("prometheus-3.5", tmp_path / "above", {"groups": []}, None, None, job=job) as above:
        wait_until(
            lambda: (
                above.query("sum(job:fail2ban_state:sum)") == site.query("sum(job:fail2ban_state:sum)")
                and bool(above.query("job:fail2ban_jail_bans:rate5m > 0"))
            ),
            "the totals are there",
        )
        wait_until(lambda: bool(above.query('ALERTS{alertname="Fail2banDown"}')), "so are alerts", 240)

        totals = above.query('{__name__=~"job:.+"}')
        assert len(totals) == 9
        assert {labels["job"] for labels, _ in totals} == {"fail2ban"}
        assert above.query('{__name__=~"fail2ban_.+"}') == []
        assert len(above.query('{__name__=~".+"}')) < HOSTS


def test_the_dashboard_series_bound_is_what_the_page_says() -> None:
    assert "never more than a hundred series" in " ".join(guide.text().split())
