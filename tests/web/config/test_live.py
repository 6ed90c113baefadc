"""Files that change are taken over without a restart, or the old ones stay in force and the log says so once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import log
from exporter.web.config.live import LiveConfig
from exporter.web.config.model import InvalidWebConfig
from tests.waiting import wait_until
from tests.web.certificates import Certificates, write_web_config

HASH = "$2y$10$1LbWeACFW6nv/lDmmwsvTeQN2P9K/rEn2PlbKfQN/ZrILk2yP3VI2"


class Live:
    """A configuration whose files are looked at when the test says so; notes what it is told."""

    def __init__(self, path: Path) -> None:
        self.log = io.StringIO()
        log.configure("info", "logfmt", self.log)
        self.noted: list[bool] = []
        self.config = LiveConfig(path, self._note)

    def _note(self, *, successfully: bool) -> None:
        self.noted.append(successfully)

    def events(self, name: str) -> list[str]:
        """The log lines of one event."""
        return [line for line in self.log.getvalue().splitlines() if f" event={name} " in line]

    def look(self, times: int = 1) -> None:
        """Look at the files."""
        for _ in range(times):
            self.config.look()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def live(certificates: Certificates) -> Iterator[Live]:
    yield Live(write_web_config(certificates.folder))
    log.configure("info", "logfmt")


def test_users_that_were_added_count_at_the_next_look(live: Live, tmp_path: Path) -> None:
    security = live.config.current.security

    write_web_config(tmp_path, f"basic_auth_users: {{alice: {HASH}}}\n")
    live.look()

    assert {"alice": HASH} == live.config.current.users
    assert security is live.config.current.security
    assert [True] == live.noted
    assert "users=alice" in live.events("web_config_loaded")[0]


def test_a_new_certificate_counts_once_its_key_is_there_too(live: Live, certificates: Certificates) -> None:
    security = live.config.current.security
    old_key = certificates.text("server.key")
    certificates.issue("server", "localhost")
    new_key = certificates.text("server.key")
    (certificates.folder / "server.key").write_text(old_key)

    live.look()
    assert security is live.config.current.security
    assert [] == live.noted
    (certificates.folder / "server.key").write_text(new_key)
    live.look()

    assert security is not live.config.current.security
    assert [True] == live.noted
    assert [] == live.events("web_config_faulty")


@pytest.mark.parametrize("broken", ["web.yml", "server.pem", "server.key"])
def test_a_broken_file_keeps_the_old_in_force_and_is_logged_once(
    live: Live, certificates: Certificates, broken: str
) -> None:
    before = live.config.current
    text = certificates.text(broken)

    (certificates.folder / broken).write_text("broken")
    live.look(5)
    (certificates.folder / broken).touch()
    live.look(5)

    assert before is live.config.current
    assert [False] == live.noted
    assert 1 == len(live.events("web_config_faulty"))
    assert "stays in force" in live.events("web_config_faulty")[0]

    (certificates.folder / broken).write_text(text)
    live.look()
    assert [False, True] == live.noted
    assert before == live.config.current


def test_a_file_that_went_away_and_came_back_is_seen(live: Live, certificates: Certificates) -> None:
    (certificates.folder / "server.key").unlink()
    live.look(3)
    assert [False] == live.noted

    certificates.issue("server", "localhost")
    live.look()

    assert [False, True] == live.noted


def test_another_fault_is_logged_too(live: Live, tmp_path: Path) -> None:
    for text in ("  colour: red\n", "  taste: sweet\n"):
        write_web_config(tmp_path, text)
        live.look(3)

    assert 2 == len(live.events("web_config_faulty"))


def test_files_that_stay_as_they_are_are_not_read_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.look(5)
    monkeypatch.setattr(Path, "open", None)

    live.look(5)

    assert [] == live.noted


def test_a_change_within_the_file_system_s_resolution_is_seen(live: Live, tmp_path: Path) -> None:
    path = write_web_config(tmp_path, f"basic_auth_users: {{alice: {HASH}}}\n")
    live.look()

    path.write_text(path.read_text().replace("alice", "carol"))
    live.look()

    assert ["carol"] == list(live.config.current.users)


def test_a_reload_takes_over_at_once_and_another_file_too(live: Live, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text(f"basic_auth_users: {{bob: {HASH}}}\n")

    live.config.reload(other)
    assert (["bob"], None) == (list(live.config.current.users), live.config.current.security)
    write_web_config(tmp_path, "broken")
    live.look(5)
    assert ["bob"] == list(live.config.current.users)
    live.config.reload(None)

    assert {} == live.config.current.users


def test_a_reload_of_a_broken_file_raises_and_the_old_stays(live: Live, tmp_path: Path) -> None:
    before = live.config.current
    path = write_web_config(tmp_path, "  colour: red\n")

    with pytest.raises(InvalidWebConfig, match="colour"):
        live.config.reload(path)

    assert before is live.config.current


def test_http2_is_said_once_not_to_be_served(live: Live, tmp_path: Path) -> None:
    assert [] == live.events("http2_not_served")

    for burst in (1, 2):
        path = write_web_config(tmp_path, f"http_server_config: {{http2: true}}\nrate_limit: {{burst: {burst}}}\n")
        live.config.reload(path)

    assert 1 == len(live.events("http2_not_served"))


def test_the_thread_looks_by_itself_until_it_is_stopped(live: Live, tmp_path: Path) -> None:
    live.config.start()
    try:
        write_web_config(tmp_path, f"basic_auth_users: {{alice: {HASH}}}\n")

        wait_until(lambda: "alice" in live.config.current.users, "the change is seen")
    finally:
        live.config.stop()
