"""If the harness lies, every other integration test does."""

import signal

import pytest

from tests.integration.conftest import MakeFail2ban
from tests.programs import FAIL2BAN_VERSIONS
from tests.real_fail2ban import ErrorReply, Jail, RealFail2ban
from tests.waiting import wait_until


def test_real_failures_in_a_log_file_make_it_ban_and_its_own_client_agrees(fail2ban: RealFail2ban) -> None:
    fail2ban.fail("sshd", "192.0.2.1")
    fail2ban.fail("sshd", "2001:db8::1")
    fail2ban.fail("sshd", "192.0.2.2", times=1)
    fail2ban.wait_banned("sshd", "192.0.2.1", "2001:db8::1")

    assert {"192.0.2.1", "2001:db8::1"} == set(fail2ban.banned("sshd"))
    assert fail2ban.banned("web") == []
    status = fail2ban.client("status", "sshd")
    assert "Currently banned:\t2" in status
    assert "192.0.2.1" in status
    assert fail2ban.version in fail2ban.client("version")
    assert fail2ban.complaints() == []


def test_a_clean_stop_removes_the_socket_and_exits_with_zero(fail2ban: RealFail2ban) -> None:
    fail2ban.stop()

    assert fail2ban.exit_status == 0
    assert not fail2ban.socket.exists()
    assert fail2ban.complaints() == []


def test_a_kill_leaves_the_socket_and_it_starts_again_with_its_bans(fail2ban: RealFail2ban) -> None:
    fail2ban.fail("web", "198.51.100.7")
    fail2ban.wait_banned("web", "198.51.100.7")
    wait_until(lambda: "198.51.100.7" in fail2ban.client("get", "web", "banip"), "its client sees the ban")
    first = fail2ban.pid

    fail2ban.kill()

    assert fail2ban.exit_status == -signal.SIGKILL
    assert fail2ban.socket.exists()
    with pytest.raises(ConnectionRefusedError):
        fail2ban.ask(["ping"])

    fail2ban.start()

    assert first != fail2ban.pid
    fail2ban.wait_banned("web", "198.51.100.7")
    assert fail2ban.complaints() == []


def test_frozen_it_answers_nothing_and_thawed_it_does(fail2ban: RealFail2ban) -> None:
    fail2ban.sigstop()
    with pytest.raises(TimeoutError):
        fail2ban.ask(["ping"], seconds=0.2)

    fail2ban.sigcont()

    assert fail2ban.ask(["ping"]) == (0, "pong")


def test_an_error_of_its_own_comes_out_and_so_does_its_complaint(fail2ban: RealFail2ban) -> None:
    code, error = fail2ban.ask(["get", "no-such-jail", "bantime"])

    assert code == 1
    assert isinstance(error, ErrorReply)
    assert type(error).__name__ == "UnknownJailException"
    assert len(fail2ban.complaints()) == 1


@pytest.mark.parametrize("version", FAIL2BAN_VERSIONS)
def test_a_jail_added_to_the_configuration_runs_after_a_reload(make_fail2ban: MakeFail2ban, version: str) -> None:
    server = make_fail2ban(version, [Jail("sshd"), Jail("web", enabled=False)], database=False)
    server.start()
    assert server.ask(["get", "dbfile"]) == (0, None)

    server.configure([Jail("sshd"), Jail("web")])
    server.client("reload")

    assert server.ask(["status"])[1][1] == ("Jail list", "sshd, web")
    assert server.complaints() == []
