"""`python -m tests.data.capture`: ask real servers of every version and keep the replies, byte for byte.

Done again, say for a new version, it writes all of `replies/` anew; README.md beside this file says what is in there.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tests import programs
from tests.real_fail2ban import Jail, RealFail2ban

REPLIES = Path(__file__).parent / "replies"
# Replies name paths below it: a neutral one, whoever captures.
FOLDER = Path("/tmp/f2b")  # noqa: S108 - must not exist, see capture()

JAILS = (
    Jail("sshd"),
    Jail("web", findtime="1.5h", bantime="200y", maxretry=5),
    Jail("forever", bantime=-1),
    Jail("no-action", action=""),
)
ODD_JAILS = tuple(map(Jail, ('quo"te', "back\\slash", "größe", "with, comma")))
COMMANDS = {
    "ping": ["ping"],
    "version": ["version"],
    "status": ["status"],
    "stats": ["stats"],
    "status-short": ["status", "sshd", "short"],
    "status-jail": ["status", "sshd"],
    "bantime": ["get", "sshd", "bantime"],
    "bantime-forever": ["get", "forever", "bantime"],
    "bantime-200-years": ["get", "web", "bantime"],
    "findtime": ["get", "sshd", "findtime"],
    "findtime-fraction": ["get", "web", "findtime"],
    "maxretry": ["get", "sshd", "maxretry"],
    "logpath": ["get", "sshd", "logpath"],
    "actions": ["get", "sshd", "actions"],
    "actions-none": ["get", "no-action", "actions"],
    "actionproperties": ["get", "sshd", "actionproperties", "nothing"],
    "dbfile": ["get", "dbfile"],
    "banned": ["banned"],
    "banip": ["get", "sshd", "banip"],
    "banip-with-time": ["get", "sshd", "banip", "--with-time"],
    "unknown-jail": ["get", "no-such-jail", "bantime"],
    "unknown-jail-short": ["status", "no-such-jail", "short"],
    "unknown-command": ["no-such-command"],
}
ODD_COMMANDS = {
    "odd-names-status": ["status"],
    "odd-names-stats": ["stats"],
    "odd-names-short": ["status", "back\\slash", "short"],
    "dbfile-none": ["get", "dbfile"],
}
NO_JAILS_COMMANDS = {"no-jails-status": ["status"], "no-jails-stats": ["stats"]}


def capture(version: str) -> None:
    """Write the replies of one version."""
    target = REPLIES / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for jails, commands in ((JAILS, COMMANDS), (ODD_JAILS, ODD_COMMANDS), ((), NO_JAILS_COMMANDS)):
        FOLDER.mkdir()
        try:
            _capture_from(version, jails, commands, target)
        finally:
            shutil.rmtree(FOLDER)


def _capture_from(version: str, jails: Iterable[Jail], commands: dict[str, list[str]], target: Path) -> None:
    with RealFail2ban(programs.fail2ban(version), FOLDER, jails, database=jails is JAILS) as server:
        server.start()
        if jails is JAILS:
            # Read before the others, which are in the same file: seen once they are banned.
            server.fail("sshd", "192.0.2.99", times=1)
            banned = ("192.0.2.1", "198.51.100.7", "2001:db8::1")
            for ip in banned:
                server.fail("sshd", ip)
            server.wait_banned("sshd", *banned)
        for name, command in commands.items():
            (target / f"{name}.pickle").write_bytes(server.ask_raw(command))


if __name__ == "__main__":
    for fail2ban_version in programs.FAIL2BAN_VERSIONS:
        capture(fail2ban_version)
        sys.stdout.write(f"captured {fail2ban_version}\n")
