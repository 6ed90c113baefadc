"""Scrapes as fast as they are answered, by wrk."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import Final

from tests.programs import wrk

_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of wrk found.

    Attributes:
        rate: Answers a second.
        requests: How many answers there were.
        p50: Milliseconds that half of them took at most.
        p99: The same for 99 %.
        longest: Milliseconds of the slowest.
    """

    rate: float
    requests: int
    p50: float
    p99: float
    longest: float


def scrape(port: int, clients: int, seconds: float, headers: tuple[str, ...] = ()) -> Load:
    """Scrape with so many clients, each of which asks again when it has its answer.

    Raises:
        RuntimeError: there were errors, or answers other than 200.
    """
    options = [f"-c{clients}", "-t1", f"-d{seconds:g}s", "--latency", "--timeout=10s"]
    options += [word for header in headers for word in ("-H", header)]
    call = [*wrk(), *options, f"http://127.0.0.1:{port}/metrics"]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    return Load(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", text)),
        requests=int(_find(r"(\d+) requests in", text)),
        p50=_milliseconds(_find(r"(?m)^\s+50%\s+(\S+)", text)),
        p99=_milliseconds(_find(r"(?m)^\s+99%\s+(\S+)", text)),
        longest=_milliseconds(_find(r"Latency\s+\S+\s+\S+\s+(\S+)", text)),
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk did not say {pattern}: {text}")
    return found[1]


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s)", text)
    if found is None:
        raise RuntimeError(f"wrk gave no time: {text}")
    return float(found[1]) * _UNITS[found[2]]
