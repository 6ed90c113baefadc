"""What the page is looked at in: the real program before real and simulated servers, and made-up snapshots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from exporter.exposition import Exposition
from exporter.health import ProbeEnded
from exporter.model import Jail, Probe, Result
from exporter.own import OwnMetrics
from exporter.snapshot import Snapshot
from exporter.web.site import Site
from tests import programs
from tests.exporter_program import ExporterProgram
from tests.lifecycles import lifecycle
from tests.real_fail2ban import Jail as RealJail
from tests.real_fail2ban import RealFail2ban
from tests.snapshots import HOSTILE_NAMES, TIMESTAMP, blamed_snapshot, failure, jail, jail_with, snapshot, success, then
from tests.waiting import DEADLINE, wait_until
from tests.web.serving import Serving

MORE_HOSTILE_NAMES: Final = (
    "x" * 300,
    "word " * 60,
    "\u202eevil\u202c",
    "\u2066isolated\u2069",
    "\u0645\u0631\u062d\u0628\u0627 \u200f\u0628\u0643",  # right to left by its letters
    "👩\u200d💻 emoji 🔥🚨",
    "\u200d",
    "z\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 8,
    "</th></tr></table></main><style>*{display:none}</style>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &quot;",
    "'\"`><svg onload=alert(1)>",
)

OpenState = Callable[[Path], AbstractContextManager[str]]


@contextmanager
def online(folder: Path, interval: str = "--probe.interval=100ms") -> Iterator[str]:
    """The program as `make demo` runs it, once it has a full history of probes."""
    with ExporterProgram(interval, command="demo", log=folder / "exporter.log") as exporter:
        exporter.wait_for("fail2ban_jails", 5)
        wait_until(
            lambda: (exporter.value("fail2ban_probes_total", result="success") or 0) >= 60, "60 probes", 2 * DEADLINE
        )
        yield f"http://127.0.0.1:{exporter.port}/"


@contextmanager
def offline(folder: Path) -> Iterator[str]:
    """The program after a real server crashed that had jails, with nobody to blame."""
    with _watched(folder, RealJail("sshd"), RealJail("postfix")) as (server, exporter):
        server.kill()
        exporter.wait_state("offline")
        yield f"http://127.0.0.1:{exporter.port}/"


@contextmanager
def pending(folder: Path) -> Iterator[str]:
    """The program after a real server was stopped and refused to start with a jail that was enabled meanwhile."""
    with _watched(folder, RealJail("sshd"), RealJail("postfix")) as (server, exporter):
        server.configure(
            [RealJail("sshd"), RealJail("postfix"), RealJail("nginx-botsearch", log_file="/nonexistent/x")]
        )
        wait_until(
            lambda: exporter.value("fail2ban_jail_activation_timestamp_seconds", jail="nginx-botsearch") is not None,
            "the activation is seen",
        )
        server.stop()
        server.start(wait=False)
        server.wait_exit()
        exporter.wait_for("fail2ban_pending_recovery", 1, jail="nginx-botsearch")
        yield f"http://127.0.0.1:{exporter.port}/"


@contextmanager
def _watched(folder: Path, *jails: RealJail) -> Iterator[tuple[RealFail2ban, ExporterProgram]]:
    (folder / "fail2ban").mkdir()
    with RealFail2ban(programs.fail2ban("1.1.1"), folder / "fail2ban", jails) as server:
        server.start()
        flags = (
            f"--fail2ban.socket={server.socket}",
            f"--fail2ban.config-dir={server.config}",
            "--probe.interval=500ms",
            "--recovery.grace=1s",
        )
        with ExporterProgram(*flags, log=folder / "exporter.log") as exporter:
            exporter.wait_for("fail2ban_jails", len(jails))
            yield server, exporter


@contextmanager
def serving(shown: Snapshot) -> Iterator[str]:
    """The site in this process, showing one snapshot for ever."""
    exposition = Exposition(lambda: shown, OwnMetrics().registry, lambda: 1.0)
    site = Site(lambda: shown, exposition, "/metrics", lifecycle(), lambda: 1.0, lambda: TIMESTAMP + 90)
    with Serving(site.application()) as server:
        yield f"http://127.0.0.1:{server.port}/"


def made_up(shown: Snapshot) -> OpenState:
    """A state that is a snapshot."""
    return lambda _: serving(shown)


def many_jails(number: int) -> Snapshot:
    """Online with that many jails, some of them with everything that can be amiss."""
    jails = [_one_of_many(index) for index in range(number)]
    probe = success(*jails, duration=0.0123)
    shown = snapshot(probe, expected=[f"missing-{index}" for index in range(7)])
    for index in range(70):
        shown = then(shown, ProbeEnded(_varied(probe, index), at=index, timestamp=TIMESTAMP - 2100 + 30 * index))
    return replace(then(shown, ProbeEnded(probe, at=99, timestamp=TIMESTAMP)), config_faults=2)


def _one_of_many(index: int) -> Jail:
    ban_time = (600.0, 3600.0, 5_400.5, 604_800.0, math.inf, None)[index % 6]
    usual = jail_with(f"jail-{index:03}", ban_time=ban_time, actions=min(1, index % 41))
    return replace(usual, banned=index * 37 % 211, bans=index**3, failed=index % 13, failures=index**4)


def _varied(probe: Probe, index: int) -> Probe:
    if index % 17 == 5:
        return failure(Result.TIMEOUT, duration=10.0)
    return replace(probe, duration=0.002 * (1 + index * 7 % 10) + 0.3 * (index % 11 == 0))


def _hostile() -> Snapshot:
    names = (*HOSTILE_NAMES, *MORE_HOSTILE_NAMES)
    return snapshot(success(*map(jail, names), jail("huge", bans=10**30, banned=10**11)), expected=[names[0] + "-gone"])


def _hostile_pending() -> Snapshot:
    return blamed_snapshot(*HOSTILE_NAMES, *MORE_HOSTILE_NAMES, expected=MORE_HOSTILE_NAMES)


STATES: Final[Mapping[str, OpenState]] = {
    "online": online,
    "offline": offline,
    "pending": pending,
    "500-jails": made_up(many_jails(500)),
    "hostile": made_up(_hostile()),
    "hostile-pending": made_up(_hostile_pending()),
    "unknown": made_up(snapshot()),
    "inaccessible": made_up(
        snapshot(failure(Result.PERMISSION_DENIED, "no permission to open /run/fail2ban/fail2ban.sock: run it as root"))
    ),
}
