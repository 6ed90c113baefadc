"""A small configuration of fail2ban's own format for tests."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_FILTER = """[Definition]
failregex = ^ app: bad login from <HOST>$
ignoreregex =
datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S%%z
"""
_ACTION = """[Definition]
actionstart =
actionstop =
actioncheck =
actionban =
actionunban =
"""


@dataclass(frozen=True)
class Jail:
    """A jail that watches a log file of its own.

    Attributes:
        name: Written to the configuration as it is.
        maxretry: Failures before a ban.
        findtime: Seconds, or as fail2ban's configuration spells them, such as `1.5h`.
        bantime: The same.
        backend: How the log file is watched.
        enabled: Whether the server starts it.
        action: One that does nothing; empty for none at all.
        log_file: Watched in place of one of its own; not made, so that fail2ban refuses one that isn't there.
        extra: More lines of the jail's configuration.
    """

    name: str
    maxretry: int = 3
    findtime: int | str = 600
    bantime: int | str = 600
    backend: str = "polling"
    enabled: bool = True
    action: str = "nothing"
    log_file: str = ""
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configuration:
    """Where one server's files are, and the writing of its configuration.

    Attributes:
        folder: For everything but the socket and the pid file.
        run: For these two.
        database: Whether the server keeps one.
    """

    folder: Path
    run: Path
    database: bool

    @property
    def config(self) -> Path:
        """For `-c` of server and client."""
        return self.folder / "config"

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self.run / "fail2ban.sock"

    @property
    def pidfile(self) -> Path:
        """Where the server writes its pid."""
        return self.run / "fail2ban.pid"

    @property
    def log(self) -> Path:
        """fail2ban's own log."""
        return self.folder / "fail2ban.log"

    @property
    def dbfile(self) -> Path | None:
        """The database, or None."""
        return self.folder / "fail2ban.sqlite3" if self.database else None

    def log_path(self, jail: str) -> Path:
        """The file that a jail watches."""
        return self.folder / "log" / (re.sub(r"[^A-Za-z0-9_.-]", "_", jail) + ".log")

    def write(self, jails: Iterable[Jail]) -> None:
        """Write the configuration with exactly these jails, and create the log files that aren't there yet."""
        for part in ("config/filter.d", "config/action.d", "log"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.config / "filter.d/app.conf").write_text(_FILTER, encoding="utf-8")
        (self.config / "action.d/nothing.conf").write_text(_ACTION, encoding="utf-8")
        (self.config / "fail2ban.conf").write_text(self._server_section(), encoding="utf-8")
        sections = []
        for jail in jails:
            if not jail.log_file:
                self.log_path(jail.name).touch()
            sections.append(self._jail_section(jail))
        (self.config / "jail.conf").write_text("\n".join(sections), encoding="utf-8")

    def _server_section(self) -> str:
        # Each option that a version knows has to be there: a missing one is a warning in its log.
        return f"""[Definition]
loglevel = INFO
logtarget = {self.log}
syslogsocket = auto
socket = {self.socket}
pidfile = {self.pidfile}
allowipv6 = auto
dbfile = {self.dbfile}
dbpurgeage = 1d
dbmaxmatches = 10
[Thread]
stacksize = 0
"""

    def _jail_section(self, jail: Jail) -> str:
        extra = "\n".join(jail.extra)
        return f"""[{jail.name}]
enabled = {str(jail.enabled).lower()}
filter = app
action = {jail.action}
backend = {jail.backend}
logpath = {jail.log_file or self.log_path(jail.name)}
maxretry = {jail.maxretry}
findtime = {jail.findtime}
bantime = {jail.bantime}
usedns = no
{extra}
"""
