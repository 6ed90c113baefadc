"""What the text of a setting may say: a value that can't work is refused before anything runs on it."""

from __future__ import annotations

import pytest

from exporter.settings import KNOWN, InvalidSettings, load


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(["--jails.expected="], (), id="empty-is-none"),
        pytest.param(["--jails.expected", ""], (), id="empty-word-is-none"),
        pytest.param(["--jails.expected=a,b"], ("a", "b"), id="commas"),
        pytest.param(["--jails.expected=a", "--jails.expected", "b"], ("a", "b"), id="repeated"),
        pytest.param(["--jails.expected=a,b", "--jails.expected=c"], ("a", "b", "c"), id="both"),
        pytest.param(["--jails.expected=", "--jails.expected=a"], ("a",), id="empty-adds-nothing"),
        pytest.param(["--jails.expected= a , b "], ("a", "b"), id="spaces-around"),
        pytest.param(["--jails.expected=a,b,a"], ("a", "b"), id="each-jail-once"),
        pytest.param(["--jails.expected=-x"], ("-x",), id="dash"),
        pytest.param(["--jails.expected=näme=1"], ("näme=1",), id="equals-sign-and-utf-8"),
    ],
)
def test_expected_jails_are_a_list_and_never_a_jail_without_a_name(argv: list[str], expected: tuple[str, ...]) -> None:
    assert expected == load(argv, {}).jails.expected


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        pytest.param("--probe.timeout", "9ms", "too short", id="timeout-too-short"),
        pytest.param("--probe.timeout", "10m1ms", "too long", id="timeout-too-long"),
        pytest.param("--probe.timeout", "-5s", "not a duration", id="negative-timeout-is-its-value"),
        pytest.param("--probe.interval", "1d1ms", "too long", id="interval-too-long"),
        pytest.param("--probe.interval", "", "not a duration", id="empty-interval"),
        pytest.param("--fail2ban.socket", "/" + "s" * 107, "108 bytes long", id="socket-too-long"),
        pytest.param("--fail2ban.socket", "/" + "é" * 54, "109 bytes long", id="bytes-not-characters"),
        pytest.param("--fail2ban.socket", "", "not absolute", id="no-socket"),
        pytest.param("--fail2ban.socket", "@abstract", "not absolute", id="abstract-socket"),
        pytest.param("--fail2ban.socket", "/a\0b", "not a path", id="zero-byte"),
        pytest.param("--geoip.asn-limit", "0", "too small", id="no-network"),
        pytest.param("--geoip.asn-limit", "1001", "too large", id="too-many-networks"),
        pytest.param("--geoip.asn-limit", "9" * 50, "too large", id="far-too-many-networks"),
        pytest.param("--geoip.asn-limit", "-5", "not a whole number", id="fewer-than-no-network"),
        pytest.param("--geoip.asn-limit", "2.5", "not a whole number", id="half-a-network"),
        pytest.param("--geoip.asn-limit", "²", "not a whole number", id="a-digit-that-is-none"),
        pytest.param("--geoip.asn-limit", "", "not a whole number", id="no-number"),
        pytest.param("--geoip.interval", "999ms", "too short", id="counts-too-often"),
        pytest.param("--recovery.window", "999ms", "too short", id="window-too-short"),
        pytest.param("--recovery.window", "1d1ms", "too long", id="window-too-long"),
        pytest.param("--recovery.grace", "-1s", "not a duration", id="negative-grace"),
        pytest.param("--recovery.grace", "1h1ms", "too long", id="grace-too-long"),
        pytest.param("--recovery.state-file", "a\0b", "not a path", id="state-file-zero-byte"),
        pytest.param("--fail2ban.config-dir", "a\0b", "not a path", id="config-dir-zero-byte"),
        pytest.param("--jails.expected", "a,,b", "an empty name", id="jail-without-a-name"),
        pytest.param("--jails.expected", "a,", "an empty name", id="trailing-comma"),
        pytest.param("--jails.expected", "\udcff", "not UTF-8", id="jail-that-no-label-can-hold"),
        pytest.param("--web.listen-address", "", "no address", id="no-address"),
        pytest.param("--web.listen-address", ":1,:1", ":1 given twice", id="address-twice"),
        pytest.param("--web.listen-address", ":99999", "'99999'", id="port-too-high"),
        pytest.param("--web.listen-address", "::1:99", "without brackets", id="v6-without-brackets"),
        pytest.param("--web.listen-address", "x,y", "'x' has no port, 'y' has no port", id="each-bad-element"),
        pytest.param("--web.telemetry-path", "metrics", "not such a path", id="path-without-slash"),
        pytest.param("--metrics.compat", "F2B", "not one of them", id="compat-in-capitals"),
        pytest.param("--metrics.compat", "f2b,geo", "not one of them", id="compat-is-one"),
        pytest.param("--web.telemetry-path", "/metrics?x=1", "not such a path", id="path-with-query"),
        pytest.param("--web.telemetry-path", "/metrics#x", "not such a path", id="path-with-fragment"),
        pytest.param("--web.telemetry-path", "/a/../b", "not such a path", id="path-that-clients-rewrite"),
        pytest.param("--web.telemetry-path", "//metrics", "not such a path", id="path-that-reads-as-a-host"),
        pytest.param("--web.telemetry-path", "/m%41", "not such a path", id="path-with-escapes"),
        pytest.param("--web.telemetry-path", "/", "not such a path", id="the-status-page"),
        pytest.param("--web.telemetry-path", "/api/v1/status", "of the exporter's own", id="the-status-api"),
        pytest.param("--web.telemetry-path", "/api", "of the exporter's own", id="the-api-itself"),
        pytest.param("--web.telemetry-path", "/-/healthy", "of the exporter's own", id="the-health-route"),
        pytest.param("--web.telemetry-path", "/-/ready/", "of the exporter's own", id="the-ready-route"),
        pytest.param("--log.level", "INFO", "not one of them", id="capital-level"),
        pytest.param("--log.format", "xml", "not one of them", id="unknown-format"),
    ],
)
def test_a_bad_value_is_one_line_with_value_origin_reason_and_what_is_accepted(
    flag: str, value: str, reason: str
) -> None:
    setting = next(setting for setting in KNOWN if setting.flag == flag)

    with pytest.raises(InvalidSettings) as error:
        load([flag, value], {})

    (fault,) = error.value.faults
    assert fault.startswith(f"{setting.name}: {value!r} from flag {flag}: ")
    assert reason in fault
    assert fault.endswith(f"; accepted: {setting.takes.accepted}")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--probe.timeout", "10ms"),
        ("--probe.timeout", "10m"),
        ("--probe.interval", "0"),
        ("--probe.interval", "1d"),
        ("--recovery.window", "1s"),
        ("--recovery.window", "1d"),
        ("--recovery.grace", "0"),
        ("--recovery.grace", "1h"),
        ("--fail2ban.socket", "/" + "s" * 106),
        ("--web.listen-address", ":0,:0"),
        ("--web.telemetry-path", "/-metrics"),
        ("--web.telemetry-path", "/apis/metrics/"),
    ],
)
def test_a_value_at_the_edge_is_accepted(flag: str, value: str) -> None:
    load([flag, value], {})


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param([], False, id="off"),
        pytest.param(["--web.enable-lifecycle"], True, id="the-flag-alone"),
        pytest.param(["--web.enable-lifecycle", "--probe.timeout", "1s"], True, id="before-another-flag"),
        pytest.param(["--web.enable-lifecycle=true"], True, id="true"),
        pytest.param(["--web.enable-lifecycle=false"], False, id="false"),
    ],
)
def test_a_switch_is_on_when_its_flag_stands_alone(argv: list[str], *, expected: bool) -> None:
    assert expected is load(argv, {}).web.enable_lifecycle


@pytest.mark.parametrize("value", ["", "yes", "on", "1", "True", " true"])
def test_a_switch_is_true_or_false_and_nothing_that_may_mean_so(value: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        load([f"--web.enable-lifecycle={value}"], {})

    (fault,) = error.value.faults
    assert fault.startswith(f"web.enable-lifecycle: {value!r} from flag --web.enable-lifecycle: ")
    assert fault.endswith("; accepted: true or false")


def test_an_empty_path_turns_it_off() -> None:
    settings = load(["--fail2ban.config-dir", "", "--recovery.state-file="], {})

    assert settings.fail2ban.config_dir is None
    assert settings.recovery.state_file is None
