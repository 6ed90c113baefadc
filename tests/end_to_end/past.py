"""A host of the past nine days, on which went wrong what takes days to go wrong.

Nobody can wait a week in a test, so what the exporter would have shown in that time is written to Prometheus's storage
before it starts: every series that a real exporter shows now, with the same labels, and other values over time for a
few of them. What our recording rules would have recorded is recorded by these rules themselves, over that past.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.exporter_program import Samples
from tests.monitoring.history import Past, record, write_blocks
from tests.monitoring.prometheus import JOB

INSTANCE: Final = "past.example"

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_STEP: Final = 5 * MINUTE


@dataclass(frozen=True)
class Misfortune:
    """When things were well there, and when they weren't; seconds since the epoch.

    Attributes:
        start: Of what is known of the host.
        well: All was well.
        worst: Much was wrong. Nothing is known from then on.
    """

    start: float
    well: float
    worst: float

    @classmethod
    def before(cls, now: float) -> "Misfortune":
        """One whose end is out of reach of every window of an hour or less."""
        worst = (now - 2 * HOUR) // HOUR * HOUR
        return cls(worst - 9 * DAY, worst - 2 * DAY, worst)

    def write(self, shown: Samples, usual: Iterable[Past], recording: list[dict[str, Any]], folder: Path) -> None:
        """Write blocks for Prometheus.

        Args:
            shown: What a real exporter shows.
            usual: What else is known of that time.
            recording: Groups of rules to record with.
            folder: For the blocks; made.
        """
        write_blocks(folder, [*self._series(shown), *usual], self.start, self.worst, _STEP)
        rules = folder.with_suffix(".yml")
        rules.write_text(yaml.safe_dump({"groups": recording}), encoding="utf-8")
        record(folder, rules, self.start, self.worst)

    def _series(self, shown: Samples) -> Iterator[Past]:
        courses = self._courses()
        for (name, labels), value in shown.items():
            named = dict(labels)
            course = courses.pop((name, named.get("jail", named.get("kind", ""))), _always(value))
            yield Past(name, {**named, "job": JOB, "instance": INSTANCE}, course)
        assert courses.keys() == set(), "the real exporter shows all that is to take another course"
        yield Past("up", {"job": JOB, "instance": INSTANCE}, _always(1))
        # Of --firewall.check, which the real one here runs without: the machine's own firewall is not for tests.
        firewall = {"job": JOB, "instance": INSTANCE, "jail": "sshd"}
        yield Past("fail2ban_jail_enforced_ips", firewall, lambda moment: 4.0 * (moment < self.worst - 20 * MINUTE))
        yield Past("fail2ban_jail_unenforced_ips", firewall, lambda moment: 4.0 * (moment >= self.worst - 20 * MINUTE))

    def _courses(self) -> dict[tuple[str, str], Callable[[float], float]]:
        """How values went, by the metric's name and the jail or the kind."""
        return {
            # ten failures and a ban an hour, and many more in the last one
            ("fail2ban_jail_failures_total", "sshd"): self._counter(10, surge=1000),
            ("fail2ban_jail_bans_total", "sshd"): self._counter(1, surge=100),
            # five failures an hour, until a day ago and an hour
            ("fail2ban_jail_failures_total", "web"): self._counter(5, until=self.worst - 25 * HOUR),
            ("fail2ban_database_size_bytes", ""): lambda moment: (
                9e7 + 1e8 * max(0.0, moment - (self.worst - DAY)) / DAY
            ),
            ("fail2ban_server_restarts_total", ""): self._once(self.worst - 7 * MINUTE),
            ("fail2ban_server_exits_total", "crash"): self._once(self.worst - 7 * MINUTE),
            ("fail2ban_probe_last_timestamp_seconds", ""): lambda moment: min(moment, self.worst - 20 * MINUTE),
            ("process_start_time_seconds", ""): _always(self.start),
        }

    def _counter(self, hourly: float, *, until: float | None = None, surge: float = 0) -> Callable[[float], float]:
        end = self.worst if until is None else until

        def value(moment: float) -> float:
            usual = hourly * (min(moment, end) - self.start) / HOUR
            return usual + surge * max(0.0, moment - (self.worst - HOUR)) / HOUR

        return value

    def _once(self, at: float) -> Callable[[float], float]:
        return lambda moment: float(moment >= at)


def _always(value: float) -> Callable[[float], float]:
    return lambda _: value
