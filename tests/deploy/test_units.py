"""The units in deploy/systemd: systemd understands every line, and how little they may do is measured.

Whether they work is seen on a booted Debian: `make system-test`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import programs

UNITS = Path(__file__).parents[2] / "deploy/systemd"
BOUNDS = {"socket": 1.0, "plain": 1.8}
FIREWALL_BOUND = 2.5

each_systemd = pytest.mark.parametrize("version", programs.SYSTEMD_VERSIONS)
each_variant = pytest.mark.parametrize("variant", BOUNDS)


class Host:
    """The files of a host, as far as systemd-analyze looks at them: nothing of this machine's own is looked at."""

    def __init__(self, folder: Path, version: str) -> None:
        self._analyze = programs.systemd_analyze(version)
        self.folder = folder
        self.units = folder / "etc/systemd/system"
        self.units.mkdir(parents=True)
        package = programs.program(f"systemd-{version}")
        for units in ("lib/systemd/system", "usr/lib/systemd/system"):
            if (package / units).is_dir():
                shutil.copytree(package / units, folder / "usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
        (folder / "lib").symlink_to("usr/lib")
        for program in ("bin/sh", "usr/local/bin/fail2ban-exporter", "usr/bin/fail2ban-server", "bin/mkdir", "bin/rm"):
            path = folder / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)
        self.install(programs.program("fail2ban-1.1.1") / "usr/lib/systemd/system/fail2ban.service")

    def install(self, *files: Path) -> None:
        """Install units and have them started at boot."""
        for file in files:
            text = file.read_text(encoding="utf-8")
            (self.units / file.name).write_text(text, encoding="utf-8")
            for target in re.findall(r"^WantedBy=(.+)$", text, re.MULTILINE):
                wants = self.units / f"{target}.wants"
                wants.mkdir(exist_ok=True)
                (wants / file.name).symlink_to(f"../{file.name}")

    def verify(self, *units: str) -> tuple[int, str]:
        """The exit status and the complaints of `systemd-analyze verify`."""
        done = self._run("verify", "--man=no", f"--root={self.folder}", *units)
        return done.returncode, done.stdout + done.stderr

    def exposure(self, unit: Path) -> float:
        """How much a unit may do, from 0 to 10."""
        done = self._run("security", "--offline=true", "--no-pager", str(unit))
        assert done.stderr == ""
        return float(re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[0])

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._analyze, *words],
            env={"LC_ALL": "C.UTF-8", "HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@each_systemd
@each_variant
def test_systemd_has_nothing_to_say_against_the_units(version: str, variant: str, tmp_path: Path) -> None:
    host = Host(tmp_path, version)
    files = sorted((UNITS / variant).iterdir())
    host.install(*files)

    assert host.verify(*(file.name for file in files)) == (0, "")


@each_systemd
@each_variant
def test_booting_with_fail2ban_and_the_exporter_is_no_loop(version: str, variant: str, tmp_path: Path) -> None:
    host = Host(tmp_path, version)
    host.install(*(UNITS / variant).iterdir())

    status, said = host.verify("multi-user.target")

    assert (status, "cycle" in said, "fail2ban" in said) == (0, False, False), said


def test_a_loop_and_a_misspelt_line_would_be_noticed(tmp_path: Path) -> None:
    host = Host(tmp_path, programs.SYSTEMD_VERSIONS[0])
    host.install(*(UNITS / "plain").iterdir())
    unit = host.units / "fail2ban-exporter.service"
    text = unit.read_text(encoding="utf-8")

    unit.write_text(f"{text}\n[Service]\nPrivateNetwrok=yes\n", encoding="utf-8")
    assert "PrivateNetwrok" in host.verify(unit.name)[1]

    unit.write_text(f"{text}\n[Unit]\nBefore=fail2ban.service\n", encoding="utf-8")
    assert "cycle" in host.verify("multi-user.target")[1]


@each_systemd
@each_variant
def test_the_exposure_stays_within_its_bound(version: str, variant: str, tmp_path: Path) -> None:
    exposure = Host(tmp_path, version).exposure(UNITS / variant / "fail2ban-exporter.service")

    print(f"systemd {version}, {variant}: exposure {exposure}")
    assert exposure <= BOUNDS[variant]


@each_systemd
@each_variant
def test_with_the_firewalls_drop_in_the_units_are_sound_and_may_do_little_more(
    version: str, variant: str, tmp_path: Path
) -> None:
    host = Host(tmp_path, version)
    files = sorted((UNITS / variant).iterdir())
    host.install(*files)
    drop_in = host.units / "fail2ban-exporter.service.d/firewall-check.conf"
    drop_in.parent.mkdir()
    drop_in.write_text((UNITS / "drop-ins/firewall-check.conf").read_text(encoding="utf-8"), encoding="utf-8")

    assert host.verify(*(file.name for file in files)) == (0, "")
    # Offline, systemd-analyze takes one file and no drop-ins; of a setting given twice the later counts.
    whole = tmp_path / "fail2ban-exporter.service"
    unit = (UNITS / variant / whole.name).read_text(encoding="utf-8")
    whole.write_text(unit + drop_in.read_text(encoding="utf-8"), encoding="utf-8")
    exposure = host.exposure(whole)
    print(f"systemd {version}, {variant} with the firewall's drop-in: exposure {exposure}")
    assert exposure <= FIREWALL_BOUND


@each_variant
def test_the_exporter_outlives_fail2ban_which_it_is_there_to_watch(variant: str) -> None:
    lines = (UNITS / variant / "fail2ban-exporter.service").read_text(encoding="utf-8").splitlines()
    bond = re.compile(r"(Requires|Requisite|Wants|BindsTo|PartOf|Upholds)=.*fail2ban\.")
    bonds = [line for line in lines if bond.match(line)]

    assert bonds == []
    assert [line for line in lines if line.startswith("After=") and "fail2ban.service" in line] != []
