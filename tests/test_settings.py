"""Settings: the exporter does what its administrator asked for, or says everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pydantic
import pytest

from exporter import docs, durations, sources
from exporter.addresses import ListenAddress
from exporter.settings import (
    KNOWN,
    ONLY_AT_START,
    InvalidSettings,
    Probe,
    Settings,
    effective,
    load,
    loading,
    model,
    value_of,
)
from tests.given import ENV, config, faults


def test_the_defaults_are_those_of_the_contract() -> None:
    expected = {
        "fail2ban.socket": "/var/run/fail2ban/fail2ban.sock",
        "fail2ban.config-dir": "/etc/fail2ban",
        "probe.interval": "30s",
        "probe.timeout": "10s",
        "recovery.window": "1m",
        "recovery.grace": "10s",
        "recovery.state-file": "",
        "jails.expected": "",
        "canary.log-file": "",
        "canary.jail": "fail2ban-exporter-canary",
        "canary.interval": "5m",
        "canary.timeout": "1m",
        "web.listen-address": ":9191",
        "web.telemetry-path": "/metrics",
        "web.config.file": "",
        "web.enable-lifecycle": "false",
        "web.systemd-socket": "false",
        "metrics.compat": "",
        "firewall.check": "false",
        "firewall.interval": "1m",
        "geoip.database": "",
        "geoip.asn-database": "",
        "geoip.asn-limit": "20",
        "geoip.families": "false",
        "geoip.interval": "5m",
        "log.level": "info",
        "log.format": "auto",
        "config.file": "",
    }

    assert expected == effective(load([], {}))


def test_settings_made_by_hand_ignore_the_process_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{ENV}PROBE__TIMEOUT", "1s")
    monkeypatch.setenv("PROBE", '{"timeout": "1s"}')

    assert 10.0 == Settings().probe.timeout


# The names are the contract's, written out so that no rule can rename them.
@pytest.mark.parametrize(
    ("names", "text", "value"),
    [
        (("--fail2ban.socket", "FAIL2BAN__SOCKET", "[fail2ban]\nsocket"), "/s", Path("/s")),
        (("--probe.interval", "PROBE__INTERVAL", "[probe]\ninterval"), "1m30s", 90.0),
        (("--probe.timeout", "PROBE__TIMEOUT", "[probe]\ntimeout"), "500ms", 0.5),
        (("--fail2ban.config-dir", "FAIL2BAN__CONFIG_DIR", "[fail2ban]\nconfig-dir"), "/f2b", Path("/f2b")),
        (("--recovery.window", "RECOVERY__WINDOW", "[recovery]\nwindow"), "2m", 120.0),
        (("--recovery.grace", "RECOVERY__GRACE", "[recovery]\ngrace"), "15s", 15.0),
        (("--recovery.state-file", "RECOVERY__STATE_FILE", "[recovery]\nstate-file"), "/s.json", Path("/s.json")),
        (("--web.enable-lifecycle", "WEB__ENABLE_LIFECYCLE", "[web]\nenable-lifecycle"), "true", True),
        (("--jails.expected", "JAILS__EXPECTED", "[jails]\nexpected"), "sshd, nginx", ("sshd", "nginx")),
        (("--canary.log-file", "CANARY__LOG_FILE", "[canary]\nlog-file"), "/c.log", Path("/c.log")),
        (("--canary.jail", "CANARY__JAIL", "[canary]\njail"), "my canary", "my canary"),
        (("--canary.interval", "CANARY__INTERVAL", "[canary]\ninterval"), "90s", 90.0),
        (("--canary.timeout", "CANARY__TIMEOUT", "[canary]\ntimeout"), "5s", 5.0),
        (
            ("--web.listen-address", "WEB__LISTEN_ADDRESS", "[web]\nlisten-address"),
            "127.0.0.1:1,[::]:2",
            (ListenAddress("127.0.0.1", 1), ListenAddress("::", 2)),
        ),
        (("--web.telemetry-path", "WEB__TELEMETRY_PATH", "[web]\ntelemetry-path"), "/f2b/metrics", "/f2b/metrics"),
        (("--metrics.compat", "METRICS__COMPAT", "[metrics]\ncompat"), "f2b", "f2b"),
        (("--firewall.check", "FIREWALL__CHECK", "[firewall]\ncheck"), "true", True),
        (("--firewall.interval", "FIREWALL__INTERVAL", "[firewall]\ninterval"), "5s", 5.0),
        (("--geoip.database", "GEOIP__DATABASE", "[geoip]\ndatabase"), "/c.mmdb", Path("/c.mmdb")),
        (("--geoip.asn-database", "GEOIP__ASN_DATABASE", "[geoip]\nasn-database"), "/a.mmdb", Path("/a.mmdb")),
        (("--geoip.asn-limit", "GEOIP__ASN_LIMIT", "[geoip]\nasn-limit"), "5", 5),
        (("--geoip.families", "GEOIP__FAMILIES", "[geoip]\nfamilies"), "true", True),
        (("--geoip.interval", "GEOIP__INTERVAL", "[geoip]\ninterval"), "1h", 3600.0),
        (("--log.level", "LOG__LEVEL", "[log]\nlevel"), "debug", "debug"),
        (("--log.format", "LOG__FORMAT", "[log]\nformat"), "json", "json"),
    ],
)
def test_a_setting_comes_from_its_flag_its_variable_or_its_key(
    tmp_path: Path, names: tuple[str, str, str], text: str, value: object
) -> None:
    flag, env, key = names
    file = config(tmp_path, f'{key} = "{text}"\n')
    setting = next(setting for setting in KNOWN if setting.flag == flag)
    loads = {
        "flag value": load([flag] if setting.takes.switch else [flag, text], {}),
        "flag=value": load([f"{flag}={text}"], {}),
        "environment": load([], {ENV + env: text}),
        "file": load(["--config.file", file], {}),
    }

    assert dict.fromkeys(loads, value) == {name: value_of(settings, setting) for name, settings in loads.items()}


def test_flags_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = config(
        tmp_path, '[probe]\ninterval = "3s"\ntimeout = "3s"\n[log]\nlevel = "error"\n[jails]\nexpected = ["c"]\n'
    )
    environ = {
        f"{ENV}CONFIG__FILE": file,
        f"{ENV}PROBE__INTERVAL": "2s",
        f"{ENV}PROBE__TIMEOUT": "2s",
        f"{ENV}JAILS__EXPECTED": "b",
    }

    settings = load(["--probe.interval", "1s", "--jails.expected="], environ)

    assert (1.0, 2.0, "error", "auto") == (
        settings.probe.interval,
        settings.probe.timeout,
        settings.log.level,
        settings.log.format,
    )
    assert () == settings.jails.expected


def test_an_array_in_the_file_can_name_a_jail_with_a_comma(tmp_path: Path) -> None:
    file = config(tmp_path, '[jails]\nexpected = ["a,b", "c"]\n')

    assert ("a,b", "c") == load(["--config.file", file], {}).jails.expected


def test_numbers_in_the_file_are_seconds(tmp_path: Path) -> None:
    file = config(tmp_path, "probe.interval = 60\nprobe.timeout = 2.5\n")

    settings = load(["--config.file", file], {})

    assert (60.0, 2.5) == (settings.probe.interval, settings.probe.timeout)


@pytest.mark.parametrize(
    ("argv", "environ", "fault"),
    [
        pytest.param(
            ["--canary.timeout=5m"],
            {},
            "canary.timeout: '5m' from flag --canary.timeout: not shorter than canary.interval, 5m",
            id="the timeout is as long as the default interval",
        ),
        pytest.param(
            ["--canary.interval=30s"],
            {},
            "canary.interval: '30s' from flag --canary.interval: not longer than canary.timeout, 1m",
            id="the interval is shorter than the default timeout",
        ),
        pytest.param(
            ["--canary.interval=30s"],
            {f"{ENV}CANARY__TIMEOUT": "40s"},
            f"canary.timeout: '40s' from environment variable {ENV}CANARY__TIMEOUT: not shorter than canary.interval, "
            "30s",
            id="both are given",
        ),
    ],
)
def test_an_attack_of_the_canary_must_end_before_the_next(argv: list[str], environ: dict[str, str], fault: str) -> None:
    [found] = faults(argv, environ)

    assert found.startswith(f"{fault}; accepted: a duration")


@pytest.mark.parametrize("name", ["", "\udcff"])
def test_the_canarys_jail_has_to_have_a_name(name: str) -> None:
    [found] = faults([f"--canary.jail={name}"])

    assert found.startswith("canary.jail: ")
    assert found.endswith("accepted: the name of a jail")


def test_every_fault_of_every_source_is_named_at_once(tmp_path: Path) -> None:
    file = config(tmp_path, '[probe]\ninterval = "30 parsecs"\nintervall = 3\n[log]\nlevel = 3\n[nonsense]\nx = 1\n')
    argv = ["--probe.timout", "5s", "--probe.timeout=0", "--log.format", "--config.file", file, "stray"]
    environ = {f"{ENV}FAIL2BAN__SOCKET": "fail2ban.sock", f"{ENV}PROBE_INTERVAL": "3"}
    path = "accepted: an absolute path of at most 107 bytes, the limit of UNIX sockets"
    timeout = f"accepted: {durations.ACCEPTED}, from 10ms to 10m"
    interval = f"accepted: {durations.ACCEPTED}, from 0s to 1d; 0 means back to back"

    assert [
        "unknown flag --probe.timout (did you mean --probe.timeout?)",
        "log.format: no value after flag --log.format; accepted: auto, logfmt, json, console",
        "unexpected argument 'stray'; a command comes before the flags, a value after its flag",
        f"probe.timeout: '0' from flag --probe.timeout: too short; {timeout}",
        f"unknown environment variable {ENV}PROBE_INTERVAL (did you mean {ENV}PROBE__INTERVAL?)",
        f"fail2ban.socket: 'fail2ban.sock' from environment variable {ENV}FAIL2BAN__SOCKET: not absolute; {path}",
        f"unknown key probe.intervall in '{file}' (did you mean probe.interval?)",
        f"unknown key nonsense in '{file}'",
        f"probe.interval: '30 parsecs' from key probe.interval in '{file}': not a duration; {interval}",
        f"log.level: 3 from key log.level in '{file}': not one of them; accepted: debug, info, warning, error",
    ] == faults(argv, environ)


def test_a_bad_value_is_named_even_where_a_good_one_outranks_it() -> None:
    assert 1 == len(faults(["--probe.timeout=5s"], {f"{ENV}PROBE__TIMEOUT": "soon"}))


def test_the_flag_s_file_is_read_and_not_the_variable_s(tmp_path: Path) -> None:
    file = config(tmp_path, "probe.timeout = 3\n")

    assert 3.0 == load(["--config.file", file], {f"{ENV}CONFIG__FILE": "/missing"}).probe.timeout
    assert 10.0 == load(["--config.file="], {f"{ENV}CONFIG__FILE": file}).probe.timeout


def test_a_reload_reads_the_file_again(tmp_path: Path) -> None:
    file = config(tmp_path, "probe.timeout = 3\n")
    argv = ["--config.file", file]
    before = load(argv, {})

    config(tmp_path, "probe.timeout = 4\n")

    assert (3.0, 4.0) == (before.probe.timeout, load(argv, {}).probe.timeout)
    config(tmp_path, "probe.timeout = 3\n")
    assert before == load(argv, {})


def test_settings_cannot_be_changed_under_a_running_probe() -> None:
    settings = load([], {})

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.probe.timeout = 1
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.probe = Probe()


def test_a_secret_is_shown_neither_in_a_fault_nor_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tuple(
        dataclasses.replace(setting, takes=dataclasses.replace(setting.takes, secret=True)) for setting in KNOWN
    )
    for module in (loading, model):
        monkeypatch.setattr(module, "KNOWN", known)

    found = faults(
        ["--web.listen-address=hunter2", "--log.level=hunter2", "--log.level=hunter2"],
        {f"{ENV}PROBE__TIMEOUT": "hunter2"},
    )

    assert 5 == len(found)
    assert "hunter2" not in "".join(found)
    assert {"(hidden)"} == set(effective(load(["--jails.expected=hunter2"], {})).values())


def test_what_effective_shows_is_accepted_again() -> None:
    shown = effective(load(["--jails.expected=a,b", "--probe.interval=1m30.5s", "--web.listen-address=[::1]:1,:2"], {}))

    assert shown == effective(load([f"--{name}={text}" for name, text in shown.items()], {}))


def test_every_setting_says_what_it_means_and_what_it_accepts() -> None:
    assert [] == [setting.name for setting in KNOWN if not (setting.description and setting.takes.accepted)]


def test_the_reference_names_every_setting_and_its_example_is_valid(tmp_path: Path) -> None:
    text = docs.configuration()
    example = text.partition("```toml\n")[2].partition("```")[0]

    assert [] == [name for setting in KNOWN for name in (setting.flag, setting.env) if f"`{name}`" not in text]
    assert {part for setting in KNOWN for part in [setting.path[0]]} - {"config"} == set(tomllib.loads(example))
    file = config(tmp_path, example)
    assert effective(Settings()) | {"config.file": file} == effective(load(["--config.file", file], {}))


def test_the_reference_s_table_has_the_same_columns_in_every_row() -> None:
    settings, _, web_config = docs.configuration().partition("## Web config file")
    rows = [line for line in settings.splitlines() if line.startswith("|")]

    assert {4} == {line.count("|") for line in web_config.splitlines() if line.startswith("|")}
    assert {7} == {row.count("|") for row in rows}
    assert len(KNOWN) + 2 == len(rows)


def test_what_the_reference_says_a_reload_does_not_change_are_settings() -> None:
    reload = docs.configuration().partition("## Reload")[2].partition("\n## ")[0]

    assert set(ONLY_AT_START) <= {setting.name for setting in KNOWN}
    assert [] == [name for name in ONLY_AT_START if f"`--{name}`" not in reload]


def test_the_names_follow_the_contract_s_rule() -> None:
    assert [sources.ENV_PREFIX + setting.name.upper().replace(".", "__").replace("-", "_") for setting in KNOWN] == [
        setting.env for setting in KNOWN
    ]


@pytest.mark.parametrize(
    ("argv", "environ", "inspected"),
    [
        ([], {}, []),
        (["--web.config.file=a.yml"], {f"{ENV}WEB__CONFIG__FILE": "b.yml"}, ["a.yml"]),
        ([], {f"{ENV}WEB__CONFIG__FILE": "b.yml"}, ["b.yml"]),
        (["--web.config.file="], {f"{ENV}WEB__CONFIG__FILE": "b.yml"}, []),
    ],
)
def test_the_web_config_file_in_force_is_looked_into(
    argv: list[str], environ: dict[str, str], inspected: list[str]
) -> None:
    seen: list[str] = []

    def inspect(path: Path) -> list[str]:
        seen.append(str(path))
        return []

    load(argv, environ, {"web.config.file": inspect})

    assert inspected == seen


def test_faults_of_the_web_config_file_stand_beside_all_others() -> None:
    with pytest.raises(InvalidSettings) as error:
        load(
            ["--web.config.file=a.yml", "--log.level=loud"], {}, {"web.config.file": lambda path: [f"{path} is broken"]}
        )

    assert "log.level" in error.value.faults[0]
    assert "a.yml is broken" == error.value.faults[1]
