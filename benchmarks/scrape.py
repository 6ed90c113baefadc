"""How many scrapes a second, how late the latest of a hundred, beside a plain registry and the bare web server."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import Final

from benchmarks import command
from benchmarks.figures import Notebook
from benchmarks.load import Load, scrape
from benchmarks.programs import exporting, rival, simulated

JAILS: Final = (5, 50, 500, 2_000)
CLIENTS: Final = (1, 4, 16)
FORMATS: Final = {
    "text": (),
    "text gzip": ("Accept-Encoding: gzip",),
    "openmetrics": ("Accept: application/openmetrics-text; version=1.0.0",),
    "openmetrics gzip": ("Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip"),
}
FOCUS: Final = (500, 4)
"""Jails and clients of the bounds."""
PUBLISHING: Final = ("1s", "100ms")

Loads = dict[str, list[Load]]


def main(notebook: Notebook, *, full: bool) -> None:
    """Compare in turns, so that all get their share of a busy moment."""
    for jails in JAILS:
        for clients in CLIENTS if full else (FOCUS[1],):
            is_focus = (jails, clients) == FOCUS
            rounds, seconds = (5, 3.0) if is_focus else (3, 1.0)
            _compare(notebook, jails, clients, rounds, seconds)
    _formats(notebook, FOCUS[0], FOCUS[1], 3.0 if full else 1.0)
    for interval in PUBLISHING:
        _while_publishing(notebook, interval, rounds=10 if full else 5)


def _compare(notebook: Notebook, jails: int, clients: int, rounds: int, seconds: float) -> None:
    name = f"scrape.{jails} jails.{clients} clients"
    loads: Loads = defaultdict(list)
    with simulated(jails) as socket, exporting(socket) as exporter:
        body = exporter.get("/metrics").body.encode()
        with rival("registry", body) as registry, rival("bare", body) as bare:
            for _ in range(rounds):
                for who, port in (("ours", exporter.port), ("bare", bare), ("registry", registry)):
                    loads[who].append(scrape(port, clients, seconds))
    notebook.note(f"{name}.bytes", "B", len(body))
    for who in ("ours", "bare", "registry"):
        notebook.note(f"{name}.{who}", "1/s", *(load.rate for load in loads[who]))
        notebook.note(f"{name}.{who} p99", "ms", *(load.p99 for load in loads[who]))
    for other in ("registry", "bare"):
        pairs = zip(loads["ours"], loads[other], strict=True)
        notebook.note(f"{name}.ours ÷ {other}", "", *(ours.rate / theirs.rate for ours, theirs in pairs))


def _formats(notebook: Notebook, jails: int, clients: int, seconds: float) -> None:
    with simulated(jails) as socket, exporting(socket) as exporter:
        for form, headers in FORMATS.items():
            rates = [scrape(exporter.port, clients, seconds, headers).rate for _ in range(3)]
            notebook.note(f"scrape.{jails} jails.{clients} clients.{form}", "1/s", *rates)


def _while_publishing(notebook: Notebook, interval: str, rounds: int) -> None:
    """Scrape while every so often a probe is made and a snapshot published; the bare server has nothing else to do."""
    jails, clients = FOCUS
    name = f"scrape.{jails} jails.publishing every {interval}"
    loads: Loads = defaultdict(list)
    with (
        simulated(jails) as socket,
        exporting(socket, f"--probe.interval={interval}") as exporter,
        rival("bare", exporter.get("/metrics").body.encode()) as bare,
    ):
        for _ in range(rounds):
            loads["ours"].append(scrape(exporter.port, clients, 3.0))
            loads["bare"].append(scrape(bare, clients, 3.0))
    for who in ("ours", "bare"):
        notebook.note(f"{name}.{who}", "1/s", *(load.rate for load in loads[who]))
        notebook.note(f"{name}.{who} p99", "ms", *(load.p99 for load in loads[who]))
        notebook.note(f"{name}.{who} longest", "ms", *(load.longest for load in loads[who]))
    ours, theirs = (statistics.median(load.p99 for load in loads[who]) for who in ("ours", "bare"))
    notebook.note(f"{name}.p99 ÷ bare", "", ours / theirs)


if __name__ == "__main__":
    command.run("scrape", __doc__, main)
