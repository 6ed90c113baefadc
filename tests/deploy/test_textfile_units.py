"""The units for node_exporter's textfile collector: what they start can run, and may do no more than it must."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from exporter import durations
from exporter.cli import COMMANDS, PROGRAM
from exporter.settings import Settings, load_with
from exporter.textfile import SUFFIX
from exporter.textfile_writer import NOT_ONLINE, NOT_WRITTEN
from tests.deploy.test_units import BOUNDS, Host, each_systemd

UNITS: Final = Path(__file__).parents[2] / "deploy" / "systemd" / "textfile"
SERVICE: Final = "fail2ban-exporter-textfile.service"
ONCE: Final = "fail2ban-exporter-textfile-once.service"
TIMER: Final = "fail2ban-exporter-textfile.timer"
# What is about the program, and not about what it may do.
_OF_THE_PROGRAM: Final = (
    *("Exec", "Type=", "NotifyAccess=", "Environment", "StateDirectory", "Restart", "Timeout", "Watchdog"),
    "SuccessExitStatus=",
)


def lines(unit: str) -> list[str]:
    """The lines of a unit that say something."""
    return [line for line in (UNITS / unit).read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line)]


def value(unit: str, name: str) -> str:
    """The value of the one line of a name."""
    [found] = [line.partition("=")[2] for line in lines(unit) if line.startswith(f"{name}=")]
    return found


def rights(path: Path) -> list[str]:
    """What a service may do."""
    service = path.read_text(encoding="utf-8").partition("[Service]\n")[2].partition("\n[")[0]
    found = [line for line in service.splitlines() if re.match(r"\w+=", line)]
    return [line for line in found if not line.startswith(_OF_THE_PROGRAM)]


def started(unit: str) -> tuple[Settings, dict[str, Any]]:
    """What a service has the exporter do, by its command line and its environment."""
    program, command, *flags = shlex.split(value(unit, "ExecStart"))
    assert (Path(program).name, command) == (PROGRAM, "textfile")
    set_here = [line.partition("=")[2] for line in lines(unit) if line.startswith("Environment=")]
    environ = dict(one.replace("%S", "/var/lib").split("=", 1) for one in set_here)
    return load_with(COMMANDS[command].options, flags, environ)


@pytest.mark.parametrize(("unit", "once"), [(SERVICE, False), (ONCE, True)])
def test_the_exporter_understands_what_it_is_started_with(unit: str, *, once: bool) -> None:
    settings, own = started(unit)

    assert own["once"] is once
    assert settings.recovery.state_file == Path("/var/lib") / value(unit, "StateDirectory") / "state.json"


def test_systemd_is_told_that_it_is_ready_and_started_anew_if_it_hangs() -> None:
    assert (value(SERVICE, "Type"), value(SERVICE, "NotifyAccess"), value(SERVICE, "WatchdogSec")) == (
        "notify",
        "main",
        "30s",
    )


@pytest.mark.parametrize("unit", [SERVICE, ONCE])
def test_it_may_write_where_its_file_is_and_nowhere_else(unit: str) -> None:
    _, own = started(unit)

    assert own["output"].suffix == SUFFIX
    assert [line for line in lines(unit) if line.startswith("ExecStopPost=")] == (
        [f"ExecStopPost=/bin/rm -f {own['output']}"] if unit == SERVICE else []
    )
    assert [line for line in rights(UNITS / unit) if line.startswith("ReadWritePaths=")] == [
        f"ReadWritePaths={own['output'].parent}"
    ]
    assert "ProtectSystem=strict" in rights(UNITS / unit)


@pytest.mark.parametrize("unit", [SERVICE, ONCE])
def test_it_has_no_network_at_all(unit: str) -> None:
    assert {"PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any"} <= set(rights(UNITS / unit))


@pytest.mark.parametrize("unit", [SERVICE, ONCE])
def test_it_may_do_what_the_exporter_may_on_a_socket_that_systemd_passes_and_write_one_folder(unit: str) -> None:
    of_the_exporter = rights(UNITS.parent / "socket" / "fail2ban-exporter.service")

    assert [line for line in rights(UNITS / unit) if not line.startswith("ReadWritePaths=")] == of_the_exporter


@each_systemd
def test_systemd_has_nothing_to_say_against_the_units_and_their_exposure_is_small(version: str, tmp_path: Path) -> None:
    host = Host(tmp_path, version)
    files = sorted(path for path in UNITS.iterdir() if path.suffix != ".md")
    host.install(*files)

    assert host.verify(*(file.name for file in files)) == (0, "")
    assert host.verify("multi-user.target") == (0, "")
    for unit in (SERVICE, ONCE):
        assert host.exposure(UNITS / unit) <= BOUNDS["socket"]


def test_the_timer_starts_the_one_that_ends_as_often_as_alerts_are_told() -> None:
    settings, _ = started(ONCE)

    assert value(TIMER, "Unit") == ONCE
    assert durations.parse(value(TIMER, "OnUnitActiveSec").replace("min", "m")) == settings.probe.interval


def test_a_host_without_fail2ban_is_no_failed_unit_and_a_file_that_can_not_be_written_is_one() -> None:
    assert value(ONCE, "SuccessExitStatus").split() == [str(NOT_ONLINE)]
    assert NOT_WRITTEN not in (0, NOT_ONLINE)


@pytest.mark.parametrize("unit", [SERVICE, ONCE])
def test_it_outlives_fail2ban_which_it_is_there_to_watch(unit: str) -> None:
    bond = re.compile(r"(Requires|Requisite|Wants|BindsTo|PartOf|Upholds)=.*fail2ban\.")

    assert [line for line in lines(unit) if bond.match(line)] == []
    assert value(unit, "After") == "fail2ban.service"


def test_the_guide_installs_every_unit() -> None:
    guide = (UNITS / "README.md").read_text(encoding="utf-8")
    copied = set(re.findall(r"cp deploy/systemd/textfile/(\S+)", guide))

    assert copied == {path.name for path in UNITS.iterdir()} - {"README.md"}
    assert set(re.findall(r"enable --now (\S+)", guide)) == {SERVICE, TIMER}
