"""The firewall's own tools, `nft`, `iptables` and `ipset`, unpacked with all that they need. Nothing is installed."""

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.apt import Apt
from tests.programs.fetch import cache_folder, only_one_fetches, say
from tests.programs.sources import UnavailableError, debian_source

_PACKAGES = ("nftables", "iptables", "ipset")
# The system's own must not be mixed with another one, and what only sets a system up is of no use here.
_LEFT_OUT = frozenset({"base-files", "dpkg", "libc-bin", "libc6", "perl-base"})
# Each tool is one program under several names, and goes by the name that it is called by.
_TOOLS = {
    "nft": "nft",
    "ipset": "ipset",
    **{f"{tables}{suffix}": "xtables-nft-multi" for tables in ("iptables", "ip6tables") for suffix in ("", "-save")},
    **{
        f"{tables}-legacy{suffix}": "xtables-legacy-multi"
        for tables in ("iptables", "ip6tables")
        for suffix in ("", "-save")
    },
}
_CALL = """#!/bin/bash
export LD_LIBRARY_PATH={libraries} XTABLES_LIBDIR={extensions}
exec -a {name} {program} "$@"
"""


@dataclass(frozen=True)
class FirewallTools:
    """Where they are.

    Attributes:
        folder: Has a program of each name, which can be called from anywhere.
    """

    folder: Path


def firewall_tools() -> FirewallTools:
    """The tools; skips (with CI=true: fails) the test if there are none."""
    if (_root() / "bin").is_dir():
        return FirewallTools(_root() / "bin")
    reason = _reason_file()
    why = reason.read_text(encoding="utf-8") if reason.exists() else "not fetched yet: make test-deps"
    message = f"no firewall tools to test with: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def fetch_firewall_tools() -> list[str]:
    """Unpack them if they are not there; return a sentence that says why there are none, if so."""
    with only_one_fetches():
        if (_root() / "bin").is_dir():
            say("firewall tools: there")
            return []
        try:
            _fetch()
        except UnavailableError as error:
            _reason_file().write_text(str(error), encoding="utf-8")
            failure = f"the firewall's tools could not be had: {error}"
            say(failure)
            return [failure]
        _reason_file().unlink(missing_ok=True)
        return []


def _fetch() -> None:
    source = debian_source()
    suite = source.suites[0]
    scratch = cache_folder() / "tmp-firewall"  # removed by the next fetch, if this one is killed
    apt = Apt(source, suite, scratch)
    say(f"Debian {suite}: fetching its package lists, then {', '.join(_PACKAGES)} with what they need")
    try:
        apt.update()
        target = scratch / "root"
        wanted = {name for package in _PACKAGES for name in apt.closure(package)} - _LEFT_OUT
        apt.unpack_all(sorted(wanted), target)
        _write_calls(target)
        _prove(target)
        shutil.rmtree(_root(), ignore_errors=True)
        target.rename(_root())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_calls(target: Path) -> None:
    """Make a folder of programs that can be called: each finds its libraries, wherever the folder is mounted."""
    machine = sysconfig.get_config_var("MULTIARCH")
    libraries = os.pathsep.join(str(_root() / part / machine) for part in ("usr/lib", "lib"))
    (target / "bin").mkdir()
    for name, program in _TOOLS.items():
        path = next((part for part in ("usr/sbin", "sbin") if (target / part / program).exists()), None)
        if path is None:
            raise UnavailableError(f"Debian's packages have no {program}")
        call = target / "bin" / name
        extensions = next(target.glob(f"*/{machine}/xtables"), None) or next(target.glob(f"usr/lib/{machine}/xtables"))
        call.write_text(
            _CALL.format(
                libraries=libraries,
                extensions=_root() / extensions.relative_to(target),
                name=name,
                program=_root() / path / program,
            ),
            encoding="utf-8",
        )
        call.chmod(0o755)


def _prove(target: Path) -> None:
    """See one of each kind run, so that a library that is missing is told here and not by a test that times out."""
    for name in ("nft", "ipset", "iptables"):
        text = (target / "bin" / name).read_text(encoding="utf-8").replace(str(_root()), str(target))
        done = subprocess.run(
            ["/bin/bash", "-c", text, name, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise UnavailableError(f"{name} does not run: {done.stderr.strip()}")
        say(f"firewall tools: fetched {done.stdout.strip()}")


def _root() -> Path:
    return cache_folder() / "firewall"


def _reason_file() -> Path:
    return cache_folder() / "firewall.reason"
