"""The stage of the story: hosts, and two generations of Prometheus and Alertmanager that watch them, side by side."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.end_to_end.hosts import FLOODED, Guarded
from tests.end_to_end.past import Misfortune
from tests.monitoring import rules
from tests.monitoring.alertmanager import Alertmanager, derived, sample
from tests.monitoring.history import Past
from tests.monitoring.prometheus import JOB, Host, Prometheus
from tests.monitoring.webhook import Webhook
from tests.waiting import wait_until

GENERATIONS: Final = {"prometheus-2.42": "alertmanager", "prometheus-3.5": "alertmanager-0.33"}
"""Which Alertmanager each Prometheus tells: those that one Debian has together."""


@dataclass(frozen=True)
class Observer:
    """One Prometheus and what follows from it.

    Attributes:
        name: The generation.
        prometheus: Scrapes every second, and evaluates our rules, made faster.
        alertmanager: Is told by it, and has our sample configuration, made faster.
        webhook: Stands for all whom that notifies.
    """

    name: str
    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook


@dataclass
class Stage:
    """Everything that runs.

    Attributes:
        old: A host with fail2ban 1.0.2.
        new: A host with fail2ban 1.1.1.
        observers: By generation.
        past: When it went well and wrong on a host that is no more.
        folder: For what else is started.
        marks: Moments to be remembered, in seconds since the epoch.
    """

    old: Guarded
    new: Guarded
    observers: list[Observer]
    past: Misfortune
    folder: Path
    marks: dict[str, float] = field(default_factory=dict)
    _scraped: list[Host] = field(default_factory=list)

    @property
    def hosts(self) -> tuple[Guarded, Guarded]:
        """Both hosts that have a fail2ban."""
        return self.old, self.new

    def scrape(self, *hosts: Host) -> None:
        """Have these scraped too, and wait until they are."""
        self._scraped.extend(hosts)
        for observer in self.observers:
            observer.prometheus.scrape(self._scraped)
        for host in hosts:
            self.wait_seen(f'fail2ban_up{{instance="{host.instance}"}}')

    def leave_out(self, host: Host) -> None:
        """Have one scraped no more."""
        self._scraped.remove(host)
        for observer in self.observers:
            observer.prometheus.scrape(self._scraped)

    def wait_seen(self, expression: str) -> None:
        """Wait until an expression returns something in every Prometheus."""
        self._wait(lambda one: bool(one.prometheus.query(expression)), f"{expression} returns something")

    def wait_quiet(self) -> None:
        """Wait until no alert fires or is about to."""
        self._wait(
            lambda one: not one.prometheus.alerts("firing") + one.prometheus.alerts("pending"),
            "no alert is left",
        )

    def wait_told(self, status: str, alert: str, since: float, instances: Iterable[Guarded], **labels: str) -> None:
        """Wait until everybody has been told of an alert on each of some hosts, since a moment."""
        for observer in self.observers:
            for host in instances:
                observer.webhook.wait_for(status, alert, since, instance=host.instance, **labels)

    def wait_inhibited(self, alert: str, by: str, host: Guarded) -> None:
        """Wait until every Alertmanager knows of an alert and keeps it to itself because of another."""
        self._wait(lambda one: by in one.alertmanager.inhibited(alert, host.instance), f"{by} inhibits {alert}")

    def _wait(self, condition: Callable[[Observer], bool], what: str) -> None:
        for observer in self.observers:
            wait_until(
                lambda: condition(observer),  # noqa: B023 - called before the next turn
                lambda: f"{what}, in {observer.name}: {observer.prometheus.get('/api/v1/alerts')}",  # noqa: B023
            )


def _usual(host: Guarded) -> Past:
    """One failure an hour is usual on a host, so that a flood of them is not."""
    labels = {"job": JOB, "instance": host.instance, "jail": FLOODED}
    return Past("jail:fail2ban_jail_failures:increase1h", labels, lambda _: 1.0)


def build(folder: Path, stack: ExitStack) -> Stage:
    """Start everything; it ends with the stack."""
    old, new = (Guarded(version, folder / version, stack) for version in ("1.0.2", "1.1.1"))
    ours = rules.ours()
    past = Misfortune.before(time.time())
    history = folder / "history"
    recording = [group for group in ours["groups"] if group["name"] == "fail2ban.past"]
    # Bans are not known before it is known which of them were restored.
    wait_until(lambda: new.exporter.value("fail2ban_jail_bans_total", jail="sshd") is not None, "bans are known")
    past.write(new.exporter.scrape(), [_usual(old)], recording, history)
    observers = []
    for generation, alertmanager in GENERATIONS.items():
        webhook = stack.enter_context(Webhook())
        configuration = derived(sample(), webhook.url)
        told = stack.enter_context(Alertmanager(alertmanager, configuration, folder / alertmanager))
        prometheus = Prometheus(generation, folder / generation, rules.faster(ours), told.address, history)
        observers.append(Observer(generation, stack.enter_context(prometheus), told, webhook))
    stage = Stage(old, new, observers, past, folder)
    stage.scrape(old.target, new.target)
    return stage
