"""What a fresh checkout promises: the locks, the image's recipe, the package."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("build", "runtime", "dev")


def _locked(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([^\s=#]+)==(\S+)", text, re.MULTILINE)}


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_hadolint_is_content_with_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"

    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_download_address_and_checks_every_download(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")

    assert re.findall(r"\S*://\S*|--(?:find-links|(?:extra-)?index-url|trusted-host)\S*", text) == []
    for entry in re.split(r"\n(?=\S)", text):
        assert entry.startswith("#") or "--hash=sha256:" in entry


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        pytest.param("build", _project()["build-system"]["requires"], id="build"),
        pytest.param("build", _project()["dependency-groups"]["build"], id="build group"),
        pytest.param("runtime", _project()["project"]["dependencies"], id="runtime"),
        pytest.param("dev", _project()["dependency-groups"]["dev"], id="dev"),
    ],
)
def test_the_locks_have_all_that_pyproject_asks_for(lock: str, wanted: list[str]) -> None:
    locked = _locked(lock)
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"make lock: {requirement} is not in {lock}.txt"
        assert version in requirement.specifier, f"make lock: {requirement} but {version} is in {lock}.txt"


@pytest.mark.parametrize("lock", ["build", "runtime"])
def test_development_uses_the_very_versions_that_users_get(lock: str) -> None:
    assert _locked(lock).items() <= _locked("dev").items()


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob("fail2ban_exporter-*-py3-none-any.whl")

    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert names == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "exporter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_licence_is_mit_and_says_whose() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert text.startswith("MIT License\n\nCopyright (c) 2026 fail2ban-exporter contributors\n")


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_captured_replies_name_nobodys_folders() -> None:
    replies = list((ROOT / "tests/data/replies").glob("*/*.pickle"))
    assert replies

    for reply in replies:
        for path in re.findall(rb"/[a-z]+/[^\x00-\x1f\x80-\xff]*", reply.read_bytes()):
            assert path.startswith(b"/tmp/f2b/"), reply


def test_the_pictures_of_the_readme_are_there_small_and_told_to_those_who_cannot_see_them() -> None:
    pictures = re.findall(r'<img src="([^"]+)" alt="([^"]{40,})"', (ROOT / "README.md").read_text(encoding="utf-8"))

    assert {name for name, _ in pictures} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "images").glob("*.png")
    }
    for name, _ in pictures:
        assert (ROOT / name).stat().st_size < 150_000
