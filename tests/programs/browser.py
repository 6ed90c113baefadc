"""Debian's Chromium: the machine's own, or else one that is unpacked with all that it needs. Nothing is installed."""

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.programs.apt import Apt
from tests.programs.fetch import cache_folder, only_one_fetches, say
from tests.programs.sources import UnavailableError, debian_source

_PACKAGE = "chromium"
# The system's own must not be mixed with another one, and what only sets a system up is of no use here.
_LEFT_OUT = frozenset({"base-files", "dpkg", "libc-bin", "libc6", "perl-base"})
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{root}/var/cache/fontconfig</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """How to run it.

    Attributes:
        path: The program.
        environment: What it wants in its environment beyond the usual.
    """

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def whole_environment(self) -> dict[str, str | float | bool]:
        """The whole environment to run it in."""
        return {**os.environ, **self.environment}


def chromium() -> Chromium:
    """Debian's Chromium; skips (with CI=true: fails) the test if there is none."""
    found = _installed() or _unpacked()
    if found is not None:
        return found
    reason = _reason_file()
    why = reason.read_text(encoding="utf-8") if reason.exists() else "not fetched yet: make test-deps"
    message = f"no Chromium to test with: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def fetch_chromium() -> list[str]:
    """Unpack one if the machine has none; return a sentence that says why there is none, if so."""
    with only_one_fetches():
        if _installed() or _unpacked():
            say("chromium: there")
            return []
        try:
            _fetch()
        except UnavailableError as error:
            _reason_file().write_text(str(error), encoding="utf-8")
            failure = f"Chromium could not be had: {error}"
            say(failure)
            return [failure]
        _reason_file().unlink(missing_ok=True)
        return []


def _installed() -> Chromium | None:
    path = shutil.which("chromium")
    return None if path is None else Chromium(Path(path))


def _unpacked() -> Chromium | None:
    root = _root()
    path = root / "usr/lib/chromium/chromium"
    if not path.exists():
        return None
    machine = sysconfig.get_config_var("MULTIARCH")
    libraries = [root / "usr/lib" / machine, root / "lib" / machine, root / "usr/lib" / machine / "pulseaudio"]
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "FONTCONFIG_FILE": str(root / "fonts.conf"),
    }
    return Chromium(path, environment)


def _fetch() -> None:
    source = debian_source()
    suite = source.suites[0]
    scratch = cache_folder() / "tmp-chromium"  # removed by the next fetch, if this one is killed
    apt = Apt(source, suite, scratch)
    say(f"Debian {suite}: fetching its package lists, then Chromium with what it needs, some 250 MB")
    try:
        apt.update()
        target = scratch / "root"
        apt.unpack_all([name for name in apt.closure(_PACKAGE) if name not in _LEFT_OUT], target)
        (target / "fonts.conf").write_text(_FONTS.format(root=_root()), encoding="utf-8")
        shutil.rmtree(_root(), ignore_errors=True)
        target.rename(_root())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _prove()


def _prove() -> None:
    """See it run, so that a library that is missing is told here and not by a test that times out."""
    found = _unpacked()
    if found is None:
        raise UnavailableError(f"Debian's package has no {_root()}/usr/lib/chromium/chromium")
    done = subprocess.run(
        [found.path, "--version"],
        env={**os.environ, **found.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(_root(), ignore_errors=True)
        raise UnavailableError(f"it does not run: {done.stderr.strip()}")
    say(f"chromium: fetched {done.stdout.strip()}")


def _root() -> Path:
    return cache_folder() / "chromium"


def _reason_file() -> Path:
    return cache_folder() / "chromium.reason"
