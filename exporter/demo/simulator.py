"""The simulated server's process: ``python -m exporter.demo.simulator SOCKET SEED LIFE``."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from exporter.demo.files import DemoFiles
from exporter.demo.wire import Address, WireServer, fault, good
from exporter.demo.world import SimulatedJail, World, plan_end

VERSION: Final = "1.1.1"
HISTORY: Final = 3600.0
"""Seconds of the simulated host's past that every life of the server begins with."""


class SimulatedFail2ban:
    """Answers commands as fail2ban 1.1.1 would that guards the simulated host. Any thread may ask."""

    def __init__(
        self,
        world: World,
        clock: Callable[[], float],
        files: DemoFiles | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take over a world.

        Args:
            world: the simulated host.
            clock: seconds since the world's beginning.
            files: the simulated host's files; None for one whose log files are not there and that has no database.
            wall: UTC epoch seconds.
        """
        self._world = world
        self._clock = clock
        self._files = files
        self._wall = wall
        self._lock = threading.Lock()

    def answer(self, command: list[str]) -> bytes:
        """Return the reply to a command."""
        with self._lock:
            self._world.advance(self._clock())
            if self._files is not None:
                self._files.keep_up(self._world.jails)
            return self._answer(command)

    def _answer(self, command: list[str]) -> bytes:  # noqa: C901, PLR0911  # one case and one return a command
        jails = self._world.jails
        match command:
            case ["ping"]:
                return good("pong")
            case ["version"]:
                return good(VERSION)
            case ["status"]:
                return good([("Number of jail", len(jails)), ("Jail list", ", ".join(sorted(jails)))])
            case ["stats" | "statistic" | "statistics"]:
                return good({name: _stats(jails[name]) for name in sorted(jails)})
            case ["banned"]:
                return good([{name: [Address(address) for address in jails[name].banned]} for name in sorted(jails)])
            case ["get", "dbfile"]:
                return good(None if self._files is None else str(self._files.database))
            case ["status" | "get", name, *_] if name not in jails:
                return fault("fail2ban.exceptions", "UnknownJailException", name)
            case ["status", name, *flavor]:
                return good(_status(jails[name], self._log_files(name), short=flavor == ["short"]))
            case ["get", name, "banip", "--with-time"]:
                return good([*_bans(jails[name], self._wall() - self._clock())])
            case ["get", name, what]:
                return _property(jails[name], self._log_files(name), what)
            case _:
                return fault("builtins", "Exception", "Invalid command")

    def _log_files(self, jail: str) -> list[str]:
        paths = self._world.jails[jail].plan.log_files
        return [path if self._files is None else str(self._files.log_file(path)) for path in paths]


def _stats(jail: SimulatedJail) -> list[object]:
    return [jail.plan.backend, (len(jail.failing), jail.failures), (len(jail.banned), jail.bans)]


def _status(jail: SimulatedJail, log_files: list[str], *, short: bool) -> list[object]:
    watched = (
        ("Journal matches", "_SYSTEMD_UNIT=sshd.service")
        if jail.plan.backend == "systemd"
        else ("File list", log_files)
    )
    found = [("Currently failed", len(jail.failing)), ("Total failed", jail.failures), watched]
    acted: list[tuple[str, object]] = [("Currently banned", len(jail.banned)), ("Total banned", jail.bans)]
    if not short:
        acted.append(("Banned IP list", [Address(address) for address in jail.banned]))
    return [("Filter", found), ("Actions", acted)]


def _bans(jail: SimulatedJail, beginning: float) -> Iterator[str]:
    """The bans as fail2ban lists them, those that end first at the top; the world began at that UTC epoch time."""
    for address, end in sorted(jail.banned.items(), key=lambda ban: ban[1]):
        start = beginning + jail.banned_at[address]
        until = "9999-12-31 23:59:59" if end == float("inf") else _printed(beginning + end)
        yield f"{address} \t{_printed(start)} + {jail.plan.ban_time} = {until}"


def _printed(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006  # local, as fail2ban does


def _property(jail: SimulatedJail, log_files: list[str], name: str) -> bytes:
    plan = jail.plan
    match name:
        case "bantime":
            return good(plan.ban_time)
        case "findtime":
            return good(plan.find_time)
        case "maxretry":
            return good(plan.max_retries)
        case "logpath":
            return good(log_files)
        case "actions":
            return good(["nftables-multiport"])
        case _:
            return fault("builtins", "Exception", "Invalid command (no get action or not yet implemented)")


def run(path: Path, seed: int, life: int) -> None:
    """Serve one life of the simulated server; ends the process, cleanly or not.

    The parent holds the other end of standard input and lets go of it however it dies. That ends this process too, and
    it takes away the folder that the parent made for it, since nobody else will.
    """
    beginning = time.monotonic() - HISTORY
    world = World(seed)
    world.advance(HISTORY)
    world.restart()
    files = DemoFiles(path.parent)
    files.keep_up(world.jails)
    path.unlink(missing_ok=True)  # a crash leaves it behind
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    end = plan_end(seed, life)
    server = WireServer(path, SimulatedFail2ban(world, lambda: time.monotonic() - beginning, files).answer)
    try:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        let_go, _, _ = select.select([sys.stdin], [], [], end.after)
        if end.crashes and not let_go:
            os.kill(os.getpid(), signal.SIGKILL)
    finally:
        server.remove()
    if let_go:
        files.remove()
        with suppress(OSError):  # somebody else's file is in it
            path.parent.rmdir()


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
