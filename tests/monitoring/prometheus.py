"""A real Prometheus: what it is told to scrape, which rules it evaluates, and what one may ask it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.monitoring.daemon import Daemon
from tests.programs import program

JOB: Final = "fail2ban"
"""The name under which every host is scraped."""

Series = dict[str, str]


@dataclass(frozen=True)
class Host:
    """What is scraped under one name.

    Attributes:
        instance: The label, whatever port it is at.
        address: Such as `127.0.0.1:9191`.
    """

    instance: str
    address: str


class Prometheus(Daemon):
    """One Prometheus, that scrapes and evaluates every second unless told otherwise.

    Args:
        name: Of the catalogue, such as `prometheus-2.42`.
        folder: For its configuration and its data; made.
        rules: A rule file's content.
        alertmanager: Where alerts go, such as `127.0.0.1:9093`; None for nowhere.
        history: A folder of blocks that it starts with; copied. None for none.
        interval: How often it scrapes and evaluates.
        job: What its job has beside its name, in place of what `scrape` says.
    """

    def __init__(  # noqa: PLR0913  # as many as may differ
        self,
        name: str,
        folder: Path,
        rules: dict[str, Any],
        alertmanager: str | None,
        history: Path | None,
        *,
        interval: str = "1s",
        job: dict[str, Any] | None = None,
    ) -> None:
        folder.mkdir()
        if history is not None:
            shutil.copytree(history, folder / "data")
        self._targets = folder / "targets.json"
        self.scrape([])
        (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
        path = folder / "prometheus.yml"
        job = job or {"file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}]}
        path.write_text(yaml.safe_dump(_configuration(job, alertmanager, interval)), encoding="utf-8")
        super().__init__(
            [
                program(name) / "usr/bin/prometheus",
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=90d",
                "--web.external-url=http://prometheus.example/",
                "--web.route-prefix=/",
            ],
            folder / "log.txt",
            cwd=folder,
        )

    def scrape(self, hosts: list[Host]) -> None:
        """Scrape these from now on, by file service discovery."""
        groups = [{"targets": [host.address], "labels": {"instance": host.instance}} for host in hosts]
        fresh = self._targets.with_suffix(".new")
        fresh.write_text(json.dumps(groups), encoding="utf-8")
        fresh.rename(self._targets)

    def query(self, expression: str, at: float | None = None) -> list[tuple[Series, float]]:
        """Every series of an instant query that has a value, and the value; of a past moment if one is given."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        data = self.post("/api/v1/query", query=expression, **moment)["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in data["result"] if one["value"][1] != "NaN"]

    def moments(self, expression: str, start: float, end: float, step: float = 0.5) -> list[float]:
        """The moments, at so many seconds from one another, at which a query returns a value."""
        span = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        data = self.post("/api/v1/query_range", query=expression, **span)["data"]
        return sorted({moment for one in data["result"] for moment, value in one["values"] if value != "NaN"})

    def alerts(self, state: str = "firing") -> list[Series]:
        """The labels of each alert in a state, whether anybody is told of it or not."""
        return [one["labels"] for one in self.get("/api/v1/alerts")["data"]["alerts"] if one["state"] == state]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus sees it, with its `health` and its `lastError`."""
        return [rule for group in self.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]


def _configuration(job: dict[str, Any], alertmanager: str | None, interval: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager] if alertmanager else []}]}]},
        "scrape_configs": [{"job_name": JOB, **job}],
    }
