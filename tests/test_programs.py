"""Where the real programs come from: on machines of other kinds than this one, too."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import programs
from tests.programs import browser, fetch
from tests.programs.apt import Apt
from tests.programs.calls import write_call
from tests.programs.catalogue import CATALOGUE, Program
from tests.programs.sources import Source, UnavailableError, debian_source

DEBIAN_12 = {"ID": "debian", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}
DEBIAN_13 = {"ID": "debian", "VERSION_CODENAME": "trixie", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"}


def _apt_folder(folder: Path, files: dict[str, str]) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_deb822_source_of_the_machines_own_release_is_taken(tmp_path: Path) -> None:
    apt = _apt_folder(
        tmp_path,
        {
            "sources.list.d/a.sources": "Types: deb\nURIs: https://x.example\nSuites: stable\nComponents: contrib\n",
            "sources.list.d/debian.sources": (
                "# the main one\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n"
                "Suites: trixie trixie-updates\nComponents: main non-free\n"
                "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
                "\n"
                "Types: deb\nURIs: http://mirror.example/security\nSuites: trixie-security\nComponents: main\n"
            ),
        },
    )

    source = debian_source(apt, DEBIAN_13)

    assert source.deb822("bullseye") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: bullseye\nComponents: main\nTargets: Packages\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


@pytest.mark.parametrize(
    ("line", "signed_by"),
    [
        pytest.param("deb http://mirror.example/debian bookworm main contrib # here", None, id="plain"),
        pytest.param(
            "deb [arch=amd64 signed-by=/a.gpg,/b.gpg] http://mirror.example/debian bookworm main",
            "/a.gpg /b.gpg",
            id="options",
        ),
    ],
)
def test_a_one_line_source_is_taken(tmp_path: Path, line: str, signed_by: str | None) -> None:
    apt = _apt_folder(tmp_path, {"sources.list": f"# deb http://off.example bookworm main\n{line}\n"})

    source = debian_source(apt, DEBIAN_12)

    assert (source.uri, source.signed_by) == ("http://mirror.example/debian", signed_by)


def test_an_embedded_key_goes_with_the_source(tmp_path: Path) -> None:
    key = " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY\n -----END PGP PUBLIC KEY BLOCK-----"
    stanza = f"Types: deb\nURIs: http://mirror.example\nSuites: bookworm\nComponents: main\nSigned-By:\n{key}\n"
    apt = _apt_folder(tmp_path, {"sources.list.d/debian.sources": stanza})

    assert debian_source(apt, DEBIAN_12).deb822("sid").endswith(f"{key}\n")


def test_a_source_that_is_turned_off_is_not_taken(tmp_path: Path) -> None:
    stanza = "Enabled: no\nTypes: deb\nURIs: http://mirror.example\nSuites: bookworm\nComponents: main\n"
    apt = _apt_folder(tmp_path, {"sources.list.d/debian.sources": stanza})

    with pytest.raises(UnavailableError, match="no source of Debian's main archive"):
        debian_source(apt, DEBIAN_12)


def test_on_another_distribution_it_says_which(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"this machine runs Ubuntu 24\.04, not Debian"):
        debian_source(tmp_path, {"ID": "ubuntu", "PRETTY_NAME": "Ubuntu 24.04"})


def test_a_suite_that_has_left_the_mirror_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("no apt on this machine")
    gone = Source(f"file:{tmp_path}/mirror", ("bookworm",), ("main",), None)
    monkeypatch.setenv("FAIL2BAN_EXPORTER_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "debian_source", lambda: gone)

    (failure,) = fetch.fetch([CATALOGUE["fail2ban-0.11.2"]])

    assert failure.startswith(
        "fail2ban-0.11.2 (Debian bullseye) could not be had: apt-get -qq update (Debian bullseye)"
    )
    monkeypatch.delenv("CI", raising=False)
    assert _fate(lambda: programs.fail2ban("0.11.2")).startswith("Skipped: no fail2ban-0.11.2 to test with: apt-get")
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def _fate(want: Callable[[], object]) -> str:
    """What becomes of a test that wants a program which is missing, and why."""
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as caught:
        want()
    return f"{caught.typename}: {caught.value}"


def test_a_missing_program_fails_the_test_on_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("FAIL2BAN_EXPORTER_TEST_CACHE", str(tmp_path))

    assert _fate(programs.promtool) == "Failed: no promtool to test with: not fetched yet: make test-deps"


@pytest.mark.parametrize(
    ("there", "found"),
    [
        pytest.param(["1.1.1-1"], "1.1.1-1", id="its very version"),
        pytest.param(["1:1.1.1+ds-2~exp1"], "1:1.1.1+ds-2~exp1", id="with an epoch and repacked"),
        pytest.param(["1.1.10-1", "1.1.2-1"], None, id="later versions"),
        pytest.param([], None, id="none"),
    ],
)
def test_only_the_wanted_version_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], found: str | None
) -> None:
    apt = Apt(Source("file:/", (), (), None), "sid", tmp_path)
    monkeypatch.setattr(Apt, "versions", lambda _self, _package: there)

    assert apt.find(CATALOGUE["fail2ban-1.1.1"]) == found


def _with_packages(monkeypatch: pytest.MonkeyPatch, cache: Path, text: str) -> Program:
    """A program whose package has this as its script, for a cache that is empty."""

    def unpack_all(_self: Apt, packages: list[str], target: Path) -> None:
        (target / "lib").mkdir(parents=True)
        (target / "lib/tool").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (target / "lib/tool").chmod(0o755)
        (target / "packages").write_text(" ".join(packages), encoding="utf-8")

    monkeypatch.setenv("FAIL2BAN_EXPORTER_TEST_CACHE", str(cache))
    monkeypatch.setattr(fetch, "debian_source", lambda: Source("file:/", ("bookworm",), ("main",), None))
    monkeypatch.setattr(Apt, "update", lambda self: self.folder.mkdir(parents=True))
    monkeypatch.setattr(Apt, "versions", lambda _self, _package: ["2:1.0-1"])
    monkeypatch.setattr(Apt, "closure", lambda _self, *packages: [*packages, "library"])
    monkeypatch.setattr(Apt, "unpack_all", unpack_all)
    return Program(
        name="tool",
        package="a-tool",
        proof=("bin/tool",),
        whole=True,
        finish=lambda unpacked, root: write_call(unpacked / "bin/tool", root / "lib/tool", {"WHERE": str(root)}),
        trials=(("bin/tool", "--version"),),
    )


def test_a_program_with_all_that_it_needs_is_called_where_it_is_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = _with_packages(monkeypatch, tmp_path / "a cache", 'echo "$WHERE $*"')

    assert fetch.fetch([tool]) == []

    root = tmp_path / "a cache/tool"
    done = subprocess.run([root / "bin/tool", "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{root} a b\n"
    assert (root / "packages").read_text(encoding="utf-8") == "a-tool=2:1.0-1 library"
    assert fetch.is_there(tool)


def test_a_program_that_does_not_run_is_not_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = _with_packages(monkeypatch, tmp_path, "echo no libthing.so.1 >&2; exit 127")

    assert fetch.fetch([tool]) == ["tool could not be had: tool does not run: no libthing.so.1"]

    assert not fetch.is_there(tool)
    assert fetch.reason_file(tool).read_text(encoding="utf-8") == "tool does not run: no libthing.so.1"


def test_chromium_runs() -> None:
    done = subprocess.run([programs.chromium(), "--version"], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout.startswith("Chromium ")


def test_a_machine_without_chromium_runs_the_one_that_was_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "chromium"
    program = root / "usr/lib/chromium/chromium"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$*" with "$LD_LIBRARY_PATH" and "$FONTCONFIG_FILE"\n', encoding="utf-8")
    program.chmod(0o755)
    browser.write_call(root, root)
    monkeypatch.setenv("FAIL2BAN_EXPORTER_TEST_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    done = subprocess.run([programs.chromium(), "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(f"--version with {root}/usr/lib/")
    assert done.stdout.endswith(f" and {root}/fonts.conf\n")


def test_a_missing_chromium_fails_the_test_on_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FAIL2BAN_EXPORTER_TEST_CACHE", str(tmp_path))

    assert _fate(programs.chromium) == "Failed: no chromium to test with: not fetched yet: make test-deps"


def test_promtool_runs() -> None:
    assert programs.promtool().is_file()
