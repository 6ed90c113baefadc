"""Samples are copied as they are: they must be sound, and must name what there is."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from exporter.settings import Web
from tests.dashboards.rule_files import ROOT, RULE_FILES, alerts
from tests.programs import amtool, program, promtool

DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final = DEPLOY / "compose" / "compose.yaml"
PROMTOOLS: Final = pytest.mark.parametrize(
    "checker",
    [
        pytest.param(promtool, id="2.53"),
        pytest.param(lambda: program("prometheus-2.42") / "usr/bin/promtool", id="2.42"),
    ],
)
CONFIGURATIONS: Final = pytest.mark.parametrize(
    "configuration",
    [
        pytest.param(DEPLOY / "prometheus" / "prometheus.yml", id="sample"),
        pytest.param(DEPLOY / "compose" / "prometheus.yml", id="compose"),
    ],
)


def load(path: Path) -> Any:
    """The content of a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    found: dict[str, dict[str, Any]] = load(COMPOSE)["services"]
    return found


def mounts() -> list[tuple[str, str, str]]:
    """What is mounted, as service, source and target."""
    return [(name, *mount.split(":")[:2]) for name, service in services().items() for mount in service["volumes"]]


def installed(configuration: Path, folder: Path) -> Path:
    """The configuration in a folder like that which deploy/README.md has people make."""
    shutil.copytree(configuration.parent, folder, dirs_exist_ok=True)
    (folder / "rules").mkdir()
    for rules in RULE_FILES:
        shutil.copy(rules, folder / "rules")
    return folder / configuration.name


@PROMTOOLS
@CONFIGURATIONS
def test_promtool_finds_no_fault_in_what_prometheus_is_given(
    checker: Callable[[], Path], configuration: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [checker(), "check", "config", "--lint=all", "--lint-fatal", installed(configuration, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout


def test_amtool_finds_no_fault_in_what_alertmanager_is_given() -> None:
    done = subprocess.run(
        [amtool(), "check-config", DEPLOY / "alertmanager" / "alertmanager.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_reaches_the_receiver_for_its_severity(alert: dict[str, Any]) -> None:
    severity = alert["labels"]["severity"]
    receivers = {"critical": "wake-somebody", "warning": "working-hours", "info": "for-the-record"}

    done = subprocess.run(
        [
            *(amtool(), "config", "routes", "test"),
            f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
            f"--verify.receivers={receivers[severity]}",
            *(f"alertname={alert['alert']}", f"severity={severity}", "job=fail2ban", "instance=web1:9191"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout.strip()) == (0, receivers[severity])


def test_inhibitions_go_by_alerts_that_there_are_and_by_host() -> None:
    names = {alert["alert"] for alert in alerts()}
    for rule in load(DEPLOY / "alertmanager" / "alertmanager.yml")["inhibit_rules"]:
        matchers = [*rule["source_matchers"], *rule["target_matchers"]]
        found = {name for matcher in matchers for name in re.findall(r"Fail2ban[A-Za-z]+", matcher)}
        assert found <= names
        assert {"job", "instance"} <= set(rule["equal"])


def test_nothing_silences_that_fail2ban_is_down_but_that_nobody_can_know() -> None:
    loud = {alert["alert"] for alert in alerts() if alert["labels"]["severity"] == "critical"} - {"Fail2banNoJails"}
    for rule in load(DEPLOY / "alertmanager" / "alertmanager.yml")["inhibit_rules"]:
        silenced = re.findall(r"Fail2ban[A-Za-z]+", str(rule["target_matchers"]))
        by_exporter = rule["source_matchers"] == ["alertname = Fail2banExporterDown"]
        assert by_exporter or not loud.intersection(silenced)


def test_an_exporter_is_scraped_where_it_listens_by_default() -> None:
    jobs = {job["job_name"]: job for job in load(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]}

    (address,) = Web().listen_address
    assert jobs["fail2ban"]["static_configs"] == [{"targets": [f"localhost:{address.port}"]}]


def test_what_compose_mounts_from_here_is_there() -> None:
    relative = [source for _, source, _ in mounts() if source.startswith(".")]

    assert len(relative) >= 5
    for source in relative:
        assert (COMPOSE.parent / source).resolve().exists()


def test_compose_declares_the_volumes_that_it_mounts_and_no_other() -> None:
    named = {source for _, source, _ in mounts() if re.fullmatch(r"[a-z-]+", source)}

    assert named == set(load(COMPOSE)["volumes"])


def test_compose_publishes_on_loopback_alone() -> None:
    published = [port for service in services().values() for port in service["ports"]]

    assert len(published) == len(services())
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_compose_pins_the_version_of_every_image_that_it_does_not_build() -> None:
    for name, service in services().items():
        if name != "fail2ban-exporter":
            assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


def test_compose_builds_the_exporter_from_this_repository_and_runs_it_as_the_readme_does() -> None:
    exporter = services()["fail2ban-exporter"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"docker run -d.*?(?=\n```)", readme, re.DOTALL)
    assert command is not None
    told = command[0].replace("\\\n", " ")

    assert (COMPOSE.parent / exporter["build"]["context"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    assert re.findall(r"-p (\S+)", told) == exporter["ports"]
    read_only = [mount for mount in exporter["volumes"] if mount.endswith(":ro")]
    assert re.findall(r"-v (/\S+)", told) == read_only
    assert re.findall(r"(--[a-z]+\.\S+)", told) == exporter["command"]
    assert ("--cap-drop ALL" in told) is (exporter["cap_drop"] == ["ALL"])
    assert ("--read-only" in told) is exporter["read_only"]
    assert ("no-new-privileges" in told) is (exporter["security_opt"] == ["no-new-privileges:true"])


def test_in_compose_each_finds_the_other() -> None:
    prometheus = load(DEPLOY / "compose" / "prometheus.yml")
    alertmanagers = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    scraped = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]
    datasource = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"][0]["url"]

    for target in [*alertmanagers, *scraped, datasource.removeprefix("http://")]:
        service, port = target.split(":")
        assert services()[service]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_in_compose_the_rules_and_dashboards_are_where_they_are_looked_for() -> None:
    at = {(name, target): source for name, source, target in mounts()}
    provider = load(DEPLOY / "grafana/provisioning/dashboards/fail2ban.yml")["providers"][0]

    assert load(DEPLOY / "compose" / "prometheus.yml")["rule_files"] == ["rules/*.yml"]
    assert at["prometheus", "/etc/prometheus/rules"] == "../../dashboards/rules"
    assert at["grafana", provider["options"]["path"]] == "../../dashboards/grafana"


def test_the_two_samples_for_prometheus_differ_only_in_whom_they_ask() -> None:
    samples = [load(DEPLOY / folder / "prometheus.yml") for folder in ("prometheus", "compose")]
    for sample in samples:
        sample["alerting"] = sample["scrape_configs"] = None

    assert samples[0] == samples[1]


def test_the_readme_of_the_samples_links_to_what_is_there() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)

    assert [link for link in links if not (DEPLOY / link).exists()] == []
