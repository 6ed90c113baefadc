"""What counting bans by where they come from costs: CPU, in fail2ban too, and what probes notice of all options on."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import command, process
from benchmarks.figures import Notebook
from benchmarks.guarded import ADDRESSES, Guarded, address, guarded
from exporter.geoip.process import Helper
from tests.exporter_program import ExporterProgram
from tests.geoip import databases

VERSION: Final = "1.1.1"
JAILS: Final = 200
BANS: Final = (25_000, 100_000)
_TIMES: Final = 5
_TIMEOUT: Final = 60.0
_INTERVAL: Final = 30
"""Seconds between two counts, a tenth of the default, so that there are some in a run."""
_OTHER_INTERVALS: Final = 6
"""Seconds between two checks of the firewall, a tenth of the default, and two attacks of the canary, a fiftieth."""
_SECONDS: Final = 60.0
_PAUSE: Final = 0.02
_COUNTRIES: Final = 250
_NETWORKS: Final = 125
"""Of four addresses each: those that a jail bans."""
_OFF: Final[tuple[str, ...]] = ()


def main(notebook: Notebook, *, full: bool) -> None:
    """Measure counts at two numbers of bans, then probes of two exporters in turns: one with every option on."""
    with tempfile.TemporaryDirectory(prefix="f2b-bench-") as folder, guarded(VERSION, JAILS) as server:
        paths = _databases(Path(folder))
        for bans in BANS:
            notebook.progress(f"geoip: {JAILS} jails and {bans} bans")
            server.ban(bans)
            _counts(notebook, server, paths, f"geoip.{bans} bans", _TIMES * (4 if full else 1))
        _probes(notebook, server, paths, Path(folder), _SECONDS * (10 if full else 1))


def _databases(folder: Path) -> dict[str, Path]:
    """Write databases by which the bans of each jail are of a hundred countries and networks, as `Guarded` bans."""
    codes = [chr(65 + first) + chr(65 + second) for first in range(10) for second in range(25)][:_COUNTRIES]
    firsts = [jail * ADDRESSES + 4 * network for jail in range(JAILS) for network in range(_NETWORKS)]
    networks = [f"{address(first)}/30" for first in firsts]
    of_country = {network: databases.country(codes[number % _COUNTRIES]) for number, network in enumerate(networks)}
    of_asn = {network: databases.asn(64500 + number) for number, network in enumerate(networks)}
    return {
        "country": databases.write(folder / "country.mmdb", of_country),
        "asn": databases.write(folder / "asn.mmdb", of_asn),
    }


def _counts(notebook: Notebook, server: Guarded, paths: Mapping[str, Path], name: str, times: int) -> None:
    descriptors = {kind: os.open(path, os.O_RDONLY) for kind, path in paths.items()}
    request = {"task": "count", "socket": str(server.server.socket), "asn_limit": 20, "databases": descriptors}
    ours, theirs, tables = [], [], {}
    for _ in range(times):
        before, fail2ban = _of_children(), process.cpu_seconds(server.server.pid)
        reply = Helper().ask(request, _TIMEOUT)
        if "tables" not in reply:
            raise RuntimeError(reply)
        tables = reply["tables"]
        ours.append(_of_children() - before)
        theirs.append(process.cpu_seconds(server.server.pid) - fail2ban)
    for descriptor in descriptors.values():
        os.close(descriptor)
    notebook.note(f"{name}.cpu of a count", "s", *ours)
    notebook.note(f"{name}.cpu of a count in fail2ban", "s", *theirs)
    notebook.note(f"{name}.series", "", sum(len(labels) for table in tables.values() for labels in table.values()))


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _probes(notebook: Notebook, server: Guarded, paths: Mapping[str, Path], folder: Path, seconds: float) -> None:
    everything = (
        f"--geoip.database={paths['country']}",
        f"--geoip.asn-database={paths['asn']}",
        f"--geoip.interval={_INTERVAL}s",
        "--firewall.check",
        f"--firewall.interval={_OTHER_INTERVALS}s",
        f"--canary.log-file={folder / 'canary.log'}",
        "--canary.jail=jail-000",
        f"--canary.interval={_OTHER_INTERVALS}s",
        f"--canary.timeout={_OTHER_INTERVALS // 2}s",
        f"--recovery.state-file={folder / 'state.json'}",
        "--metrics.compat=f2b",
    )
    took: dict[str, list[float]] = {"off": [], "on": []}
    with (
        _exporting(server, folder / "off.log", *_OFF) as off,
        _exporting(server, folder / "on.log", *everything) as on,
    ):
        on.wait_for("fail2ban_geoip_count_success", 1)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for which, exporter in (("off", off), ("on", on)):
                took[which].append(_milliseconds(exporter.post("/-/probe").json()))
            time.sleep(_PAUSE)
        for which, exporter in (("off", off), ("on", on)):
            notebook.note(f"geoip.probe.{which}", "ms", *took[which])
            notebook.note(f"geoip.memory.{which}", "MB", process.resident_mb(exporter.pid))
    medians = {which: sorted(values)[len(values) // 2] for which, values in took.items()}
    notebook.note("geoip.probe.on ÷ off", "", medians["on"] / medians["off"])


def _exporting(server: Guarded, log: Path, *flags: str) -> ExporterProgram:
    given = (f"--fail2ban.socket={server.server.socket}", "--fail2ban.config-dir=", "--web.enable-lifecycle", *flags)
    return ExporterProgram(*given, log=log, python=sys.executable)


def _milliseconds(status: Mapping[str, Any]) -> float:
    return float(status["probe"]["duration_seconds"]) * 1000


if __name__ == "__main__":
    command.run("geoip", __doc__, main)
