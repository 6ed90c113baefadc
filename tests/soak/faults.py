"""What is done to fail2ban in a soak, a fault a second, and what the exporter must say of each."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.exporter_program import ExporterProgram
from tests.real_fail2ban import Jail, RealFail2ban
from tests.soak.invariants import Scrape
from tests.soak.truth import Truth
from tests.waiting import wait_until

STAY = tuple(Jail(name, maxretry=1, bantime=3) for name in ("sshd", "web", "mail"))
COME = tuple(Jail(f"jail-{number}", maxretry=1, bantime=3) for number in range(12))
QUICK = (
    "a storm of SIGHUP",
    "all unbanned",
    "an activation reported",
    "frozen for a moment",
    "the exporter's settings broken",
)
BROKEN = Jail("broken", log_file="/nonexistent/app.log")


class Mischief:
    """All that can be done; each fault leaves fail2ban running, and the exporter having told what it was.

    Used by one thread; the churn of bans is another's.
    """

    def __init__(
        self, server: RealFail2ban, exporter: ExporterProgram, truth: Truth, settings: Path, seed: int
    ) -> None:
        self._server = server
        self._exporter = exporter
        self._truth = truth
        self._settings = settings
        self._settings_text = settings.read_text(encoding="utf-8")
        self._random = random.Random(seed)  # noqa: S311 - mischief, not secrets
        self._coming: list[Jail] = []
        self.faults: dict[str, Callable[[], None]] = {
            "killed": self.kill,
            "killed and started at once": self.kill_and_start,
            "killed while it starts": self.kill_while_starting,
            "stopped": self.stop,
            "restarted": self.restart,
            "stopped, its folder removed": self.remove_folder,
            "frozen": self.freeze,
            "frozen for a moment": self.freeze_shortly,
            "killed while frozen": self.kill_frozen,
            "reloaded": self.reload,
            "reloaded with other jails": self.change_jails,
            "all unbanned": self.unban,
            "a start refused for a jail": self.refuse_start,
            "its configuration broken": self.break_configuration,
            "the exporter's settings broken": self.break_settings,
            "a storm of SIGHUP": self.hang_up,
            "an activation reported": self.report,
        }

    def any(self, *, quick: bool = False) -> str:
        """Do one of them, or one that takes far less than a second; its name."""
        name = self._random.choice(QUICK if quick else sorted(self.faults))
        self.faults[name]()
        return name

    def jails(self) -> list[Jail]:
        """Those that run now."""
        return [*STAY, *self._coming]

    # -- the ends of the server

    def kill(self) -> None:
        """A crash, seen before it is started again."""
        self._end("crash", self._server.kill)
        self._exporter.wait_state("offline")
        self._start()

    def kill_and_start(self) -> None:
        """A crash that only the end of the connection can tell."""
        self._end("crash", self._server.kill)
        self._start()

    def kill_while_starting(self) -> None:
        """A second crash, of a server that the exporter may not have seen."""
        self._end("crash", self._server.kill)
        self._truth.unseen["crash"] += 1
        self._truth.unseen_restarts += 1
        self._server.start(wait=False)
        wait_until(self._server.socket.exists, "it makes its socket")
        self._server.kill()
        self._start()

    def stop(self) -> None:
        """A clean stop."""
        self._end("clean", self._server.stop)
        self._exporter.wait_state("offline")
        self._start()

    def restart(self) -> None:
        """A clean stop, and a start."""
        self._end("clean", self._server.stop)
        self._start()

    def remove_folder(self) -> None:
        """What systemd does after any end."""
        self._end("clean", self._server.stop)
        shutil.rmtree(self._server.socket.parent)
        self._exporter.wait_state("offline")
        self._start()

    def freeze(self) -> None:
        """Too long for a probe."""
        self._server.sigstop()
        self._exporter.wait_state("unresponsive")
        self._server.sigcont()
        self._settle()

    def freeze_shortly(self) -> None:
        """So shortly that it may not be noticed."""
        self._server.sigstop()
        self._server.sigcont()
        self._settle()

    def kill_frozen(self) -> None:
        """The end of one that was taken for frozen."""
        self._server.sigstop()
        self._exporter.wait_state("unresponsive")
        self._end("crash", self._server.kill)
        self._exporter.wait_state("offline")
        self._start()

    def refuse_start(self) -> None:
        """A jail that keeps it from starting is named until it is gone."""
        self._server.configure([*self.jails(), BROKEN])
        self._exporter.wait_for("fail2ban_jail_up", 0, jail="broken")
        self._end("clean", self._server.stop)
        self._truth.unseen["clean"] += 1
        self._truth.unseen_restarts += 1
        self._server.start(wait=False)
        self._server.wait_exit()
        self._exporter.wait_for("fail2ban_pending_recovery", 1, jail="broken")
        self._server.configure(self.jails())
        self._start()
        self._exporter.wait_for("fail2ban_pending_recovery", 0, jail="broken")

    # -- what it survives

    def reload(self) -> None:
        """Nothing changed."""
        self._server.client("reload")
        self._settle()

    def change_jails(self) -> None:
        """Some come, some go, and their counters with them."""
        self._truth.jails_begun += 1
        self._coming = self._random.sample(COME, self._random.randrange(len(COME)))
        self._server.configure(self.jails())
        self._server.client("reload")
        self._settle()
        self._truth.jails_begun += 1

    def unban(self) -> None:
        """As an administrator does it."""
        assert self._server.ask(["unban", "--all"])[0] == 0
        self._settle()

    def break_configuration(self) -> None:
        """A file is edited and half written."""
        file = self._server.config / "jail.local"
        file.write_text("enabled = true\n[sshd", encoding="utf-8")
        self._exporter.wait_for("fail2ban_exporter_jail_config_errors", 1)
        file.unlink()
        self._exporter.wait_for("fail2ban_exporter_jail_config_errors", 0)

    # -- the exporter itself

    def break_settings(self) -> None:
        """Broken settings change nothing."""
        success = "fail2ban_exporter_config_last_reload_successful"
        self._settings.write_text('[probe]\ninterval = "often"\n', encoding="utf-8")
        self._exporter.hang_up()
        self._exporter.wait_for(success, 0)
        self._settings.write_text(self._settings_text, encoding="utf-8")
        self._exporter.hang_up()
        self._exporter.wait_for(success, 1)

    def hang_up(self) -> None:
        """More often than it can follow."""
        for _ in range(50):
            self._exporter.hang_up()
        self._settle()

    def report(self) -> None:
        """A tool tells of a jail."""
        assert self._exporter.post("/-/activations", {"jail": self._random.choice(COME).name}).status == 202

    # -- what they have in common

    def _end(self, kind: str, end: Callable[[], None]) -> None:
        # Written down first: the exporter may tell at once.
        self._truth.exits[kind] += 1
        end()

    def _start(self) -> None:
        self._truth.restarts += 1
        self._server.start()
        self._settle()

    def _settle(self) -> None:
        """Wait until the exporter shows the server that runs, with its jails and how its predecessors ended."""
        self._exporter.wait_state("online")
        self._exporter.wait_for("fail2ban_jails", len(self.jails()))
        wait_until(lambda: not self._missing(), lambda: "; ".join(self._missing()))

    def _missing(self) -> list[str]:
        return list(self._truth.misses(Scrape.read(self._exporter.get("/metrics").body)))
