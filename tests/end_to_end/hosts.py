"""The hosts of the story: a real fail2ban each, and the exporter that watches it."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests import programs
from tests.exporter_program import ExporterProgram
from tests.geoip import databases
from tests.monitoring.prometheus import Host
from tests.real_fail2ban import Jail, RealFail2ban

GOOD: Final = (Jail("sshd", maxretry=1), Jail("web", maxretry=2))
"""The jails of a host on which all is well."""

ATTACKERS: Final = "203.0.113.0/24"
"""Where `Guarded.attack` comes from."""

CANARY: Final = "fail2ban-exporter-canary"
"""The jail of the canary."""

FLOODED: Final = GOOD[1].name
"""The jail that `Guarded.flood` floods."""

_SHIPPED: Final = Path(__file__).parents[2] / "deploy" / "fail2ban"

# Root without these may not do what the mode of a folder forbids, as everybody else.
_UNPRIVILEGED: Final = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")


class Guarded:
    """A host: its fail2ban, and the exporter that watches that.

    Attributes:
        instance: What Prometheus calls it.
        server: The fail2ban.
        exporter: The exporter.
        state_folder: Where the exporter keeps its state.
    """

    def __init__(self, version: str, folder: Path, stack: ExitStack) -> None:
        folder.mkdir()
        self.instance = f"fail2ban-{version}.example"
        self.server = stack.enter_context(RealFail2ban(programs.fail2ban(version), folder, GOOD))
        self.state_folder = folder / "state"
        self.state_folder.mkdir()
        self._settings = folder / "settings.toml"
        self._settings.touch()
        self._country = databases.write(folder / "country.mmdb", {ATTACKERS: databases.country("DE")})
        asn = databases.write(folder / "asn.mmdb", {ATTACKERS: databases.asn(64500)})
        self.server.start()
        self.exporter = stack.enter_context(
            ExporterProgram(
                f"--config.file={self._settings}",
                f"--fail2ban.socket={self.server.socket}",
                f"--fail2ban.config-dir={self.server.config}",
                f"--jails.expected={GOOD[0].name}",
                "--probe.interval=1s",
                "--probe.timeout=2s",
                "--recovery.grace=1s",
                f"--geoip.database={self._country}",
                f"--geoip.asn-database={asn}",
                "--geoip.interval=1s",
                f"--recovery.state-file={self.state_folder / 'state.json'}",
                log=folder / "exporter.log",
            )
        )
        self.exporter.wait_state("online")

    @property
    def target(self) -> Host:
        """What to scrape."""
        return Host(self.instance, f"127.0.0.1:{self.exporter.port}")

    def attack(self, number: int) -> None:
        """Have an attacker fail in every jail of a good host until he is banned."""
        for jail in GOOD:
            self.server.fail(jail.name, f"203.0.113.{number}")
            self.server.wait_banned(jail.name, f"203.0.113.{number}")

    def flood(self) -> None:
        """Have one attacker fail far more often than is usual there."""
        self.server.fail(FLOODED, "203.0.113.100", times=600)

    def enable(self, *jails: Jail) -> None:
        """Enable more jails in the configuration, and wait until the exporter has taken note; fail2ban has not yet."""
        self.server.configure([*GOOD, *jails])
        for jail in jails:
            self.exporter.wait_for("fail2ban_jail_up", 0, jail=jail.name)

    def refuse_to_start(self) -> None:
        """Try to start it, in vain."""
        self.server.start(wait=False)
        assert self.server.wait_exit() != 0

    def mend(self) -> None:
        """Bring it back to good health from whatever was done to its jails, and wait for the exporter to see it."""
        self.server.configure(GOOD)
        self.server.sigcont()
        if self.server.exit_status is None:
            self.server.stop()
        self.server.start()
        self.exporter.wait_state("online")
        self.exporter.wait_for("fail2ban_jails", len(GOOD))

    @contextmanager
    def exporter_frozen(self) -> Iterator[None]:
        """While the exporter answers nobody."""
        os.kill(self.exporter.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.exporter.pid, signal.SIGCONT)

    @contextmanager
    def faulty_settings(self) -> Iterator[None]:
        """While the exporter's settings can't be used."""
        self._settings.write_text("[probe]\nintervall = 3\n", encoding="utf-8")
        self.exporter.hang_up()
        self.exporter.wait_for("fail2ban_exporter_config_last_reload_successful", 0)
        yield
        self._settings.write_text("", encoding="utf-8")
        self.exporter.hang_up()
        self.exporter.wait_for("fail2ban_exporter_config_last_reload_successful", 1)

    @contextmanager
    def faulty_database(self) -> Iterator[None]:
        """While the database of countries can't be used."""
        whole = self._country.read_bytes()
        self._country.write_bytes(whole[:100])
        self.exporter.wait_for("fail2ban_geoip_database_reload_success", 0, database="country")
        yield
        self._country.write_bytes(whole)
        self.exporter.wait_for("fail2ban_geoip_database_reload_success", 1, database="country")

    @contextmanager
    def faulty_jail_configuration(self) -> Iterator[None]:
        """While a file of fail2ban's configuration can't be parsed."""
        stray = self.server.config / "jail.local"
        stray.write_text("no section\n", encoding="utf-8")
        self.exporter.wait_for("fail2ban_exporter_jail_config_errors", 1)
        yield
        stray.unlink()
        self.exporter.wait_for("fail2ban_exporter_jail_config_errors", 0)


@contextmanager
def with_canary(folder: Path) -> Iterator[tuple[Host, RealFail2ban]]:
    """A host whose exporter attacks a jail of its own, as it is shipped, all the time; and its fail2ban."""
    folder.mkdir()
    with RealFail2ban(programs.fail2ban("1.1.1"), folder, [GOOD[0], Jail(CANARY)]) as server:
        log = server.log_path(CANARY)
        shutil.copytree(_SHIPPED, server.config, dirs_exist_ok=True)
        local = server.config / "jail.local"
        local.write_text(f"[{CANARY}]\nlogpath = {log}\nbackend = polling\n", encoding="utf-8")
        server.start()
        flags = (f"--fail2ban.socket={server.socket}", "--fail2ban.config-dir=", "--probe.interval=1s")
        attacks = (f"--canary.log-file={log}", "--canary.interval=5s", "--canary.timeout=4s")
        with ExporterProgram(*flags, *attacks, log=folder / "exporter.log") as exporter:
            exporter.wait_state("online")
            yield Host("canary.example", f"127.0.0.1:{exporter.port}"), server


@contextmanager
def without_permission(folder: Path) -> Iterator[Host]:
    """A host whose exporter may not reach fail2ban's socket."""
    folder.mkdir(mode=0)
    prefix = _UNPRIVILEGED if os.geteuid() == 0 else ()
    flags = (f"--fail2ban.socket={folder / 'fail2ban.sock'}", "--fail2ban.config-dir=", "--probe.interval=1s")
    try:
        with ExporterProgram(*flags, prefix=prefix, log=folder.with_suffix(".log")) as exporter:
            exporter.wait_state("inaccessible")
            yield Host("no-permission.example", f"127.0.0.1:{exporter.port}")
    finally:
        folder.chmod(0o700)
