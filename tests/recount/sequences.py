"""Generated lives of a fail2ban and of its exporter, played on real ones, and what a scraper would have added up."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real_fail2ban import Jail, RealFail2ban
from tests.waiting import DEADLINE, wait_until

SHORT_SECONDS = 3
JAILS = (Jail("long", maxretry=2, bantime=3600), Jail("short", maxretry=1, bantime=SHORT_SECONDS))
_BAN = re.compile(r"NOTICE\s+\[(?P<jail>\w+)\] (?P<restored>Restore )?Ban (?P<ip>\S+)$")


def increase(samples: Iterable[float | None]) -> float:
    """What Prometheus makes of a counter's samples: what it grew by, from 0 again after each reset."""
    total, before = 0.0, None
    for value in samples:
        if value is None:
            continue
        if before is not None:
            total += value - before if value >= before else value
        before = value
    return total


class ExporterChild:
    """`tests.recount.child` as a process, started and ended as a sequence wants it."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self._shown = folder / "shown.jsonl"
        self.log = folder / "exporter.log"
        self._command = [
            *(sys.executable, "-m", "tests.recount.child", str(self._shown)),
            *(f"--fail2ban.socket={socket}", "--fail2ban.config-dir=", "--probe.interval=0.2s"),
            f"--recovery.state-file={folder / 'state.json'}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(signal.SIGKILL)

    @property
    def runs(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it has shown something."""
        before = len(self.shown())
        with self.log.open("ab") as output:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIL2BAN_")}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        wait_until(lambda: len(self.shown()) > before, lambda: f"the exporter shows something: {self.log.read_text()}")

    def end(self, number: signal.Signals) -> None:
        """Send it the signal, and wait for the end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE)
            self._process = None

    def shown(self) -> list[dict[str, float]]:
        """What each snapshot showed, by jail; a line that is being written is left for the next time."""
        with suppress(FileNotFoundError):
            lines = self._shown.read_text(encoding="utf-8").split("\n")[:-1]
            return [json.loads(line) for line in lines]
        return []

    def increase(self, jail: str) -> float:
        """What a scraper of every snapshot adds up for a jail."""
        return increase(shown.get(jail) for shown in self.shown())

    def wait_snapshots(self, number: int) -> None:
        """Wait until so many more were shown."""
        before = len(self.shown())
        wait_until(lambda: len(self.shown()) >= before + number, "the exporter goes on")


class Life:
    """One generated sequence on one server with one exporter; `story` is what was done, for messages."""

    def __init__(self, seed: int, fail2ban: RealFail2ban, exporter: ExporterChild) -> None:
        self._random = random.Random(seed)  # noqa: S311 - steps of a test, no secrets
        self._fail2ban = fail2ban
        self._exporter = exporter
        self._addresses = 0
        self._may_kill = True
        self._asked: set[tuple[str, str]] = set()
        self.story: list[str] = [f"seed {seed}"]

    def play(self, steps: int) -> None:
        """Play that many steps, then wait until all bans are made and shown."""
        self._fail2ban.start()
        self._exporter.start()
        wait_until(lambda: self._exporter.shown()[-1] == {"long": 0, "short": 0}, self.told)
        visible: dict[Callable[[], None], int] = {
            self._ban: 5,
            self._unban: 1,
            self._expire: 2,
            self._restart: 3,
            self._restart_at_once: 2,
            self._restart_jail: 3,
            self._reload: 1,
            self._unseen: 4,
        }
        for _ in range(steps):
            step = self._random.choices(list(visible), list(visible.values()))[0]
            step()
        self._settle()

    def told(self) -> str:
        """The story, for a message."""
        lines = [*self.story, *self._fail2ban.log_lines()[-60:], str(self._exporter.shown()[-30:])]
        lines.append(self._exporter.log.read_text(encoding="utf-8"))
        return "\n".join(lines)

    def made(self, jail: str) -> int:
        """The bans that fail2ban made in a jail by its own log: every address is banned once.

        One that it makes while it stops may be written down nowhere: then nobody can know of it, itself included.
        """
        found, stops = set(), False
        for line in self._fail2ban.log_lines():
            stops = (stops or "Shutdown in progress" in line) and "Starting Fail2ban" not in line
            match = _BAN.search(line)
            if match is not None and match["jail"] == jail and (match["restored"] or not stops):
                found.add(match["ip"])
        return len(found)

    # -- steps

    def _ban(self) -> None:
        """Bans in one jail, by failures or by hand, that the exporter may see one by one."""
        jail = self._random.choice(JAILS).name
        self._wait_written(self._attack(jail))
        if jail == "short":  # those that are over before anybody looks can't be told after a restart
            self._see()

    def _attack(self, jail: str, *, by_hand: bool | None = None) -> set[tuple[str, str]]:
        found = set()
        by_hand = self._random.random() < 0.25 if by_hand is None else by_hand
        for _ in range(self._random.randint(1, 3)):
            self._addresses += 1
            ip = f"203.0.113.{self._addresses}"
            if by_hand:
                self._fail2ban.ask(["set", jail, "banip", ip])
            else:
                self._fail2ban.fail(jail, ip)
            found.add((jail, ip))
        self._tell(f"{'by hand' if by_hand else 'by failures'}: {sorted(found)}")
        self._asked |= found
        return found

    def _unban(self) -> None:
        self._see()
        if banned := self._fail2ban.banned("long"):
            ip = self._random.choice(banned)
            self._tell(f"unban {ip}")
            self._fail2ban.ask(["set", "long", "unbanip", ip])
            # Killed, fail2ban reads the failures again and bans it once more: a ban that addresses don't tell.
            self._may_kill = False
            self._end_seen()

    def _expire(self) -> None:
        self._tell("expire")
        wait_until(lambda: not self._fail2ban.banned("short"), self.told)
        self._end_seen()

    def _end_seen(self) -> None:
        """Let the exporter, if it runs, see that a ban has ended.

        One that ends unseen right before a restart may cost a new one of the same second, which no exporter could tell.
        """
        if self._exporter.runs:
            self._exporter.wait_snapshots(2)

    def _restart(self) -> None:
        """Restart the server when all bans have been seen."""
        self._see()
        self._restart_server()

    def _restart_at_once(self) -> None:
        """Restart it right after failures, which may be bans by then, seen or not, or become some afterwards.

        A ban by hand is lost to everybody if it is killed before that is written down; failures are read again.
        """
        made = self._attack("long", by_hand=False)
        self._restart_server()
        self._wait_made(made)

    def _restart_server(self) -> None:
        kill = self._random.random() < 0.5 and self._may_kill
        self._tell("kill fail2ban" if kill else "stop fail2ban")
        if kill:
            self._fail2ban.kill()
        else:
            self._fail2ban.stop()
        if self._random.random() < 0.3:
            self._tell("failures while it is stopped")
            self._addresses += 1
            self._fail2ban.fail("long", f"203.0.113.{self._addresses}")
            self._asked.add(("long", f"203.0.113.{self._addresses}"))
        self._fail2ban.start()
        self._tell("started")

    def _restart_jail(self) -> None:
        jail = self._random.choice(JAILS).name
        command = self._random.choice((["restart", jail], ["reload", "--restart"]))
        self._tell(" ".join(command))
        self._fail2ban.client(*command)

    def _reload(self) -> None:
        self._tell("reload")
        self._fail2ban.client("reload")

    def _unseen(self) -> None:
        """All sorts of things while the exporter is away.

        What no exporter could tell is left out: bans that are made and over before a restart while nobody looks, and a
        jail that is started anew alone after as many bans have ended as are new.
        """
        self._see()
        number = self._random.choice((signal.SIGTERM, signal.SIGKILL))
        self._exporter.end(number)
        self._tell(f"exporter ended by {number.name}")
        restart = self._random.choice((None, self._restart_server, self._restart_server, self._restart_jail))
        if self._random.random() < 0.5:
            self._expire()
            self._next_second()
        if restart != self._restart_jail and self._random.random() < 0.3:
            self._unban_unseen()
            self._next_second()
        if self._random.random() < 0.7:
            self._wait_written(self._attack("long" if restart is not None else self._random.choice(JAILS).name))
        if restart is not None:
            restart()
            if self._random.random() < 0.5:
                self._wait_written(self._attack("long"))
        self._exporter.start()
        self._tell("exporter started")

    def _unban_unseen(self) -> None:
        if banned := self._fail2ban.banned("long"):
            self._tell(f"unban {banned[0]} unseen")
            self._fail2ban.ask(["set", "long", "unbanip", banned[0]])

    def _next_second(self) -> None:
        """Wait until new bans are dated later than the latest that was seen: a second is as exact as dates are."""
        moment = time.time() + 1.5
        wait_until(lambda: time.time() > moment, "the clock goes on")

    # -- waiting

    def _wait_made(self, bans: set[tuple[str, str]]) -> None:
        """Wait until fail2ban has made these bans."""
        wait_until(lambda: bans <= self._logged(), self.told)

    def _wait_written(self, bans: set[tuple[str, str]]) -> None:
        """Wait until it has made them and written them down, which it does a moment later."""
        self._wait_made(bans)
        wait_until(lambda: bans <= self._written(), self.told)

    def _written(self) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(f"file:{self._fail2ban.dbfile}?mode=ro", uri=True, timeout=DEADLINE)) as database:
            return set(database.execute("SELECT jail, ip FROM bans"))

    def _logged(self) -> set[tuple[str, str]]:
        found = [_BAN.search(line) for line in self._fail2ban.log_lines()]
        return {(match["jail"], match["ip"]) for match in found if match}

    def _see(self) -> None:
        """Wait until every ban that is to be made has been made and shown."""
        self._wait_made(self._asked)
        wait_until(lambda: all(self._exporter.increase(jail.name) == self.made(jail.name) for jail in JAILS), self.told)

    def _settle(self) -> None:
        self._see()
        self._exporter.wait_snapshots(10)
        self._tell("settled")

    def _tell(self, what: str) -> None:
        self.story.append(f"{time.strftime('%H:%M:%S')} {what}")


def play_all(sequences: Sequence[Callable[[], None]], at_once: int) -> None:
    """Play sequences in threads, some at once; raise the first error when all have ended."""
    left, errors, lock = list(sequences), list[BaseException](), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not left or errors:
                    return
                sequence = left.pop(0)
            try:
                sequence()
            except BaseException as error:  # noqa: BLE001  # raised again by the test's own thread
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
