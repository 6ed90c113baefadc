"""What must hold of every scrape, and of one after another, whatever fail2ban is at."""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

STATES = {"unknown", "online", "unresponsive", "offline", "inaccessible"}
OF_A_LIVE_SERVER = re.compile(
    r"fail2ban_(server_info|server_start_time_seconds|process_\w+|database_(size_bytes|bans)|jails|jail_info"
    r"|jail_(banned_ips|bans_total|failed_ips|failures_total|ban_time_seconds|find_time_seconds|max_retries|actions))"
)
"""What is read from the server, and so is known only while it is online."""
OF_EACH_JAIL = ("jail_banned_ips", "jail_failed_ips", "jail_failures_total")
OF_THE_SERVER = re.compile(r"fail2ban_(jail_(bans|failures)_total|process_cpu_seconds_total)")
"""Counters of fail2ban's own: they begin anew with its process, or with the jail."""
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]*:[0-9a-f]+")
_AHEAD = 1.0

Labels = tuple[tuple[str, str], ...]


@dataclass
class Scrape:
    """The samples of one scrape, by name and sorted labels."""

    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str, *, is_openmetrics: bool = False) -> "Scrape":
        """Read a scrape by the official parser, which raises ValueError for one that is malformed."""
        parse: Callable[[str], Iterable[Metric]] = openmetrics if is_openmetrics else prometheus
        scrape = cls()
        for family in parse(text):
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                if key in scrape.samples:
                    scrape.repeated.append(sample.name)
                scrape.samples[key] = sample.value
                scrape.types[sample.name] = family.type
        return scrape

    def value(self, name: str, **labels: str) -> float | None:
        """One sample's value."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def by_jail(self, name: str) -> dict[str, float]:
        """The values of a family whose label is a jail's name."""
        return {dict(labels)["jail"]: value for (found, labels), value in self.samples.items() if found == name}

    def states(self) -> list[str]:
        """The states that are 1."""
        return [
            dict(labels)["fail2ban_state"]
            for (name, labels), value in self.samples.items()
            if name == "fail2ban_state" and value == 1
        ]


def faults_of(scrape: Scrape, *, tells_all_jails: bool = True) -> Iterator[str]:
    """What is wrong with a scrape by itself.

    Args:
        scrape: It.
        tells_all_jails: Else there may be more jails than are told, as before fail2ban 1.1.0.
    """
    for name in scrape.repeated:
        yield f"{name} has two samples of the same labels"
    states = scrape.states()
    if len(states) != 1:
        yield f"{len(states)} states at once: {states}"
        return
    online = states == ["online"]
    if scrape.value("fail2ban_up") != online:
        yield f"up is {scrape.value('fail2ban_up')} while the state is {states[0]}"
    yield from _flags(scrape, online=online)
    yield from _presence(scrape, states[0], tells_all_jails=tells_all_jails)
    yield from _figures(scrape)


def _flags(scrape: Scrape, *, online: bool) -> Iterator[str]:
    flags = [jail for jail, value in scrape.by_jail("fail2ban_pending_recovery").items() if value == 1]
    if scrape.value("fail2ban_pending_recoveries") != len(flags):
        yield f"pending_recoveries is {scrape.value('fail2ban_pending_recoveries')}, and these have a flag: {flags}"
    if flags and online:
        yield f"online, and recovery is pending for {flags}"


def _presence(scrape: Scrape, state: str, *, tells_all_jails: bool) -> Iterator[str]:
    up = scrape.by_jail("fail2ban_jail_up")
    if state not in ("online", "offline") and up:
        yield f"jail_up is there while the state is {state}"
    if state != "online":
        yield from (f"{name} is there while the state is {state}" for name in scrape.types if _is_live(name))
        yield from (f"jail {jail} runs while the state is {state}" for jail, value in up.items() if value)
        return
    running = {jail for jail, value in up.items() if value}
    count = scrape.value("fail2ban_jails")
    if count is None or (count != len(running) if tells_all_jails else count < len(running)):
        yield f"fail2ban_jails is {count}, and {len(running)} have jail_up 1"
    for name in OF_EACH_JAIL:
        if scrape.by_jail(f"fail2ban_{name}").keys() != running:
            yield f"fail2ban_{name} is there for other jails than those that run"
    # After a jail's start its bans are not known before it is known which of them were restored.
    if not scrape.by_jail("fail2ban_jail_bans_total").keys() <= running:
        yield "fail2ban_jail_bans_total is there for a jail that does not run"


def _is_live(name: str) -> bool:
    return OF_A_LIVE_SERVER.fullmatch(name) is not None


def _figures(scrape: Scrape) -> Iterator[str]:
    probes = sum(value for (name, _), value in scrape.samples.items() if name == "fail2ban_probes_total")
    if scrape.value("fail2ban_probe_duration_seconds_count") != probes:
        yield f"{probes} probes and {scrape.value('fail2ban_probe_duration_seconds_count')} durations"
    now = time.time()
    for (name, labels), value in scrape.samples.items():
        if math.isnan(value) or (value < 0 and name.startswith("fail2ban_")):
            yield f"{name} is {value}"
        if name.endswith("timestamp_seconds") and value > now + _AHEAD:
            yield f"{name} is in the future"
        if name.startswith("fail2ban_") and any(_ADDRESS.search(text) for label, text in labels if label != "version"):
            yield f"{name} has an address in a label: {labels}"


class Follower:
    """Holds each scrape of one client against those before it."""

    def __init__(self, jails_begun: Callable[[], int]) -> None:
        """Begin.

        Args:
            jails_begun: Odd while a jail is being removed, whose counters begin anew when it comes back; another even
                number afterwards.
        """
        self._jails_begun = jails_begun
        self._counters: dict[tuple[str, Labels], tuple[float, object]] = {}

    def follow(self, scrape: Scrape, jails_begun: int) -> Iterator[str]:
        """What went back that never may.

        Args:
            scrape: The latest.
            jails_begun: What that was before this scrape began.
        """
        starts = scrape.value("fail2ban_server_restarts_total"), scrape.value("fail2ban_server_start_time_seconds")
        for key, value in scrape.samples.items():
            name = key[0]
            if not _counts(name, scrape.types[name]):
                continue
            began: object = None
            if OF_THE_SERVER.fullmatch(name):
                is_certain = jails_begun == self._jails_begun() and jails_begun % 2 == 0
                began = (*starts, jails_begun if is_certain else object())
            before, began_before = self._counters.get(key, (0.0, began))
            if value < before and began == began_before:
                yield f"{name}{dict(key[1])} went back from {before:g} to {value:g}"
            self._counters[key] = value, began


def _counts(name: str, kind: str) -> bool:
    is_sample: Any = name.endswith(("_total", "_count", "_sum", "_bucket"))
    never_back = ("fail2ban_probe_last_timestamp_seconds", "fail2ban_probe_last_success_timestamp_seconds")
    return (kind in ("counter", "histogram") and bool(is_sample)) or name in never_back
