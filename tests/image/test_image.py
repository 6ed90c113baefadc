"""The image on a host whose fail2ban comes and goes, run with as few rights as the README says.

One story on one machine: each test goes on from where the one before it has left the machine.
"""

from __future__ import annotations

import json
import time
from typing import Any

from tests.image.conftest import DOCKER, PASSWORD
from tests.system.debian import say
from tests.system.machine import Machine
from tests.system.readme import commands
from tests.waiting import wait_until

NAME = "fail2ban-exporter"
# Prints the status and the body of an HTTPS scrape with a password.
_SCRAPE = """
import base64, ssl, sys, urllib.error, urllib.request
word = base64.b64encode(f"prometheus:{sys.argv[1]}".encode()).decode()
request = urllib.request.Request("https://localhost:9191/metrics", headers={"Authorization": f"Basic {word}"})
try:
    context = ssl.create_default_context(cafile="/web/ca.pem")
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code)
"""


def docker(host: Machine, words: str) -> str:
    return host.run(f"{DOCKER}docker {words}")


def inspect(host: Machine, words: str) -> dict[str, Any]:
    (found,) = json.loads(docker(host, f"{words} inspect {NAME}"))
    assert isinstance(found, dict)
    return found


def exits(host: Machine) -> dict[str, float]:
    """How often fail2ban has ended, by kind."""
    return {kind: host.value("fail2ban_server_exits_total", kind=kind) or 0.0 for kind in ("clean", "crash", "unknown")}


def main_pid(host: Machine) -> int:
    """The exporter's process, as a number of the host's."""
    return int(docker(host, f"inspect --format={{{{.State.Pid}}}} {NAME}"))


def scrape_securely(host: Machine, password: str) -> str:
    """The status and the body of a scrape over TLS, empty while nothing answers."""
    status, said = host.try_run(f"python3 -c '{_SCRAPE}' '{password}'")
    return said if status == 0 else ""


def start(host: Machine) -> None:
    """Run the container as the README says, until it answers."""
    run = commands("docker run").partition("docker run ")[2]
    docker(host, f"run {run}")
    # Not before: the first process of a PID namespace gets no signal that it does not handle, and so no SIGTERM.
    wait_until(lambda: host.try_get("/-/healthy") is not None, lambda: docker(host, f"logs {NAME} 2>&1"))


def wait_online(host: Machine) -> None:
    host.wait_for("fail2ban_state", 1, fail2ban_state="online")
    host.wait_for("fail2ban_jail_up", 1, jail="sshd")


def test_the_image_has_what_its_recipe_says(host: Machine) -> None:
    configuration = inspect(host, "image")["Config"]

    assert configuration["User"] == "0:0"
    assert configuration["Entrypoint"] == ["/opt/fail2ban-exporter/bin/fail2ban-exporter"]
    assert configuration["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert "9191/tcp" in configuration["ExposedPorts"]
    assert docker(host, f"run --rm {NAME} --version").startswith("fail2ban-exporter ")


def test_run_as_the_readme_says_it_sees_the_hosts_fail2ban(host: Machine) -> None:
    start(host)

    wait_online(host)

    assert host.value("fail2ban_pending_recoveries") == 0
    say("the container runs, with the README's own words; fail2ban is online")


def test_it_has_no_capability_and_a_root_that_nobody_writes_to(host: Machine) -> None:
    status = dict(line.split(":\t", 1) for line in host.run(f"cat /proc/{main_pid(host)}/status").splitlines())
    refused, said = host.try_run(f'podman exec {NAME} /opt/fail2ban-exporter/bin/python -c \'open("/x", "w")\'')

    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert status["NoNewPrivs"] == "1"
    assert refused != 0
    assert "Read-only file system" in said
    say("no capability, no new privileges, read-only root")


def test_the_health_check_of_the_image_passes(host: Machine) -> None:
    docker(host, f"healthcheck run {NAME}")


def test_a_restart_of_fail2ban_is_seen_though_systemd_makes_its_folder_anew(host: Machine) -> None:
    folder = host.run("stat --format=%i /run/fail2ban")
    host.run("systemctl restart fail2ban")
    new = "stat --format=%i /run/fail2ban"
    wait_until(lambda: host.try_run(new)[0] == 0 and host.run(new) != folder, "systemd makes the folder anew")

    wait_until(lambda: sum(exits(host).values()) == 1, "the end of fail2ban is counted")
    wait_online(host)

    assert exits(host)["crash"] == 0
    assert host.value("fail2ban_server_restarts_total") == 1
    assert host.value("fail2ban_pending_recoveries") == 0
    say(f"systemctl restart fail2ban: seen, and counted as {exits(host)}")


def test_a_crash_that_systemd_repairs_is_seen(host: Machine) -> None:
    before = exits(host)
    host.run("systemctl kill --kill-whom=main --signal=KILL fail2ban")

    wait_until(lambda: sum(exits(host).values()) == sum(before.values()) + 1, "the end of fail2ban is counted")
    wait_online(host)

    assert exits(host)["clean"] == before["clean"]
    say(f"kill -9 of fail2ban: seen, and counted as {exits(host)}")


def test_the_volume_keeps_what_was_counted_when_the_container_is_made_anew(host: Machine) -> None:
    before = exits(host)
    docker(host, f"rm --force {NAME}")
    start(host)

    wait_online(host)

    assert exits(host) == before
    say("the container removed and run again: counts kept in the volume")


def test_with_a_database_it_counts_bans_by_country(host: Machine) -> None:
    docker(host, f"rm --force {NAME}")
    run = commands("docker run").partition("docker run ")[2]
    flags = "--geoip.database=/var/lib/GeoIP/country.mmdb --geoip.interval=1s"
    docker(host, f"run -v /geoip:/var/lib/GeoIP:ro {run} {flags}")
    wait_until(lambda: host.try_get("/-/healthy") is not None, lambda: docker(host, f"logs {NAME} 2>&1"))

    host.run("fail2ban-client set sshd banip 192.0.2.1")

    host.wait_for("fail2ban_jail_banned_ips_by_country", 1, jail="sshd", country="DE")
    host.run("fail2ban-client unban --all")
    say("with a database of countries: bans counted by it")


def test_with_a_web_config_file_it_speaks_tls_to_whoever_knows_the_password(host: Machine) -> None:
    docker(host, f"rm --force {NAME}")
    run = commands("docker run").partition("docker run ")[2]
    docker(host, f"run -v /web:/etc/exporter:ro {run} --web.config.file=/etc/exporter/web.yml")

    wait_until(
        lambda: 'fail2ban_jail_up{jail="sshd"} 1.0' in scrape_securely(host, PASSWORD),
        lambda: docker(host, f"logs {NAME} 2>&1"),
    )

    assert scrape_securely(host, "wrong").strip() == "401"
    counted = "fail2ban_exporter_auth_failures_total 1.0"
    wait_until(lambda: counted in scrape_securely(host, PASSWORD), "the wrong password is counted")
    docker(host, f"healthcheck run {NAME}")
    say("with a web config file: scraped over TLS with a password, a wrong one is 401 and counted")


def test_with_the_hosts_process_ids_ends_are_told_apart_and_the_process_is_seen(host: Machine) -> None:
    docker(host, f"rm --force {NAME}")
    # This engine, which has no control groups here, refuses --pid=host: systemd runs what is in the image instead.
    rights = "CapabilityBoundingSet= NoNewPrivileges=yes ReadOnlyPaths=/ BindReadOnlyPaths=/run MountAPIVFS=yes"
    properties = " ".join(f"--property={one}" for one in rights.split())
    (entrypoint,) = inspect(host, "image")["Config"]["Entrypoint"]
    host.run(
        f"systemd-run --quiet --unit=in-the-image --property=RootDirectory=$(podman image mount {NAME}) {properties} "
        f"{entrypoint} --fail2ban.config-dir="
    )
    wait_until(lambda: host.try_get("/-/healthy") is not None, lambda: host.journal("in-the-image"))
    wait_online(host)

    host.run("systemctl restart fail2ban")
    wait_until(lambda: exits(host) == {"clean": 1, "crash": 0, "unknown": 0}, "a clean exit is counted")
    wait_online(host)

    assert (host.value("fail2ban_process_resident_memory_bytes") or 0) > 1e6
    host.run("systemctl stop in-the-image")
    say("with the process ids of the host: a clean exit is told as such, and the process is seen")


def test_it_ends_at_once_when_the_engine_says_so(host: Machine) -> None:
    start(host)
    wait_online(host)
    started = time.monotonic()
    docker(host, f"stop {NAME}")
    seconds = time.monotonic() - started

    assert inspect(host, "container")["State"]["ExitCode"] == 0
    assert seconds < 8  # an engine waits for ten before it kills
    log = host.run(f"podman logs {NAME} 2>&1")
    assert "event=stopped status=0" in log
    assert "Traceback" not in log
    say(f"stopped with status 0 after {seconds:.1f} s")
