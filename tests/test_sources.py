"""Flags, environment and file: what is not a setting, or not a clear one, stops the start with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.settings import load
from tests.given import ENV, config, faults


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(
            ["--log.level=info", "--log.level=debug"],
            ["log.level: 'info' and 'debug' from flag --log.level: given 2 times; accepted: one value"],
            id="single-valued-flag-twice",
        ),
        pytest.param(
            ["--log.level", "--log.format=json"],
            ["log.level: no value after flag --log.level; accepted: debug, info, warning, error"],
            id="next-flag-is-no-value",
        ),
        pytest.param(
            ["--web.enable-lifecycle", "--web.enable-lifecycle=false"],
            [
                (
                    "web.enable-lifecycle: 'true' and 'false' from flag --web.enable-lifecycle: given 2 times; "
                    "accepted: one value"
                )
            ],
            id="switch-twice",
        ),
        pytest.param(
            ["--web.enable-lifecycle", "true"],
            [
                (
                    "unexpected argument 'true'; --web.enable-lifecycle alone turns it on, "
                    "and a value stands behind an equals sign: --web.enable-lifecycle=false"
                )
            ],
            id="a-switch-takes-no-word-along",
        ),
        pytest.param(["-v"], ["unknown flag -v"], id="short-flag"),
        pytest.param(["--"], ["unknown flag --"], id="double-dash"),
        pytest.param(["--Log.level=info"], ["unknown flag --Log.level (did you mean --log.level?)"], id="capitals"),
        pytest.param(["--log.lev=info"], ["unknown flag --log.lev (did you mean --log.level?)"], id="no-abbreviations"),
        pytest.param(["--x\ny=1"], [r"unknown flag '--x\ny'"], id="newline-cannot-forge-a-line"),
    ],
)
def test_a_flag_that_is_no_setting_or_not_a_clear_one_is_a_fault(argv: list[str], expected: list[str]) -> None:
    assert expected == faults(argv)


def test_a_value_cannot_forge_or_flood_lines() -> None:
    (fault,) = faults(["--log.level", "x\nfail2ban-exporter: all is well" + "y" * 10_000])

    assert "\n" not in fault
    assert len(fault) < 300


def test_nor_can_the_reason_that_quotes_it() -> None:
    (fault,) = faults(["--web.listen-address", "/" * 10_000])

    assert "has no port" in fault
    assert len(fault) < 1000


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP_METRICS",
        "PORT_9191_TCP",
        "PORT_9191_TCP_PROTO",
        "PORT_9191_TCP_PORT",
        "PORT_9191_TCP_ADDR",
        "HEADLESS_SERVICE_HOST",
        "HEADLESS_PORT_80_UDP_ADDR",
    ],
)
def test_what_kubernetes_sets_for_a_service_of_that_name_does_not_stop_the_pod(name: str) -> None:
    assert load([], {}) == load([], {ENV + name: "tcp://10.0.0.1:9191"})


@pytest.mark.parametrize("name", ["WEB__PORT", "WEB__LISTEN-ADDRESS", "probe__timeout", "", "SERVICE", "PORT_X_TCP"])
def test_any_other_variable_with_the_prefix_is_a_fault(name: str) -> None:
    (fault,) = faults([], {ENV + name: "1"})

    assert fault.startswith(f"unknown environment variable {ENV}{name}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('[web]\nlisten_address = ":1"\n', "unknown key web.listen_address", id="underscores"),
        pytest.param('"probe.timeout" = "1s"\n', 'unknown key "probe.timeout"', id="quoted-dots-are-no-path"),
        pytest.param("probe = 3\n", "probe: 3 in", id="group-that-is-no-table"),
        pytest.param("[[probe]]\ntimeout = 3\n", "probe: [{'timeout': 3}] in", id="array-of-tables"),
        pytest.param("[probe.timeout]\nx = 1\n", "probe.timeout: {'x': 1} from key probe.timeout in", id="table"),
        pytest.param("probe.timeout = true\n", "probe.timeout: True from key", id="boolean"),
        pytest.param(f"probe.timeout = 0x{'f' * 5000}\n", "probe.timeout: a huge int from", id="endless-integer"),
        pytest.param("web.enable-lifecycle = 1\n", "web.enable-lifecycle: 1 from key", id="number-for-a-switch"),
        pytest.param("web.enable-lifecycle = []\n", "web.enable-lifecycle: [] from key", id="array-for-a-switch"),
        pytest.param("web.enable-lifecycle = {}\n", "web.enable-lifecycle: {} from key", id="table-for-a-switch"),
        pytest.param("recovery.state-file = 3\n", "recovery.state-file: 3 from key", id="number-for-a-file"),
        pytest.param("jails.expected = [1]\n", "jails.expected: [1] from key", id="number-for-a-jail"),
        pytest.param("jails.expected = 1\n", "neither text nor an array", id="number-for-jails"),
        pytest.param("web.listen-address = [9191]\n", "9191 is no address", id="number-for-an-address"),
        pytest.param('[config]\nfile = "x"\n', "config.file: a file can't name another", id="file-in-the-file"),
    ],
)
def test_the_file_is_as_strict_as_the_flags(tmp_path: Path, text: str, expected: str) -> None:
    file = config(tmp_path, text)

    (fault,) = faults(["--config.file", file])

    assert expected in fault


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param(b"[probe]\ninterval 3\n", "(at line 2, column 10)", id="syntax-with-line-and-column"),
        pytest.param(b"x = '\xff'\n", "not UTF-8 at byte 5", id="not-utf-8"),
        pytest.param(b"#" * (1 << 20) + b"#", "larger than 1 MiB", id="huge"),
        pytest.param(b"x = " + b"[" * 100_000, "nested too deeply", id="nested"),
        pytest.param(b"x = " + b"9" * 5_000, "not TOML", id="endless-integer"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_fault_beside_the_others(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "exporter.toml"
    if content is not None:
        file.write_bytes(content)

    found = faults(["--config.file", str(file), "--log.level=loud"])

    assert 2 == len(found)
    assert any(
        fault.startswith(f"config.file: '{file}' from flag --config.file: ")
        and reason in fault
        and fault.endswith("; accepted: a readable TOML file; empty for none")
        for fault in found
    )


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/"])
def test_a_file_that_never_ends_does_not_hang_the_start(path: str) -> None:
    (fault,) = faults(["--config.file", path])

    assert "not a regular file" in fault


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False), ('"true"', True)])
def test_a_switch_in_the_file_is_a_boolean_or_its_text(tmp_path: Path, text: str, *, expected: bool) -> None:
    file = config(tmp_path, f"[web]\nenable-lifecycle = {text}\n")

    assert expected is load(["--config.file", file], {}).web.enable_lifecycle
