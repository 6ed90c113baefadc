"""A real node_exporter that reads a folder of text files and nothing else."""

import http.client
from pathlib import Path

from tests.exporter_program import Samples, key, parse
from tests.monitoring.daemon import Daemon
from tests.programs import program


class NodeExporter(Daemon):
    """One node_exporter.

    Args:
        files: The folder that its textfile collector reads.
        log: What it prints.
    """

    def __init__(self, files: Path, log: Path) -> None:
        super().__init__(
            [
                program("node-exporter") / "usr/bin/prometheus-node-exporter",
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={files}",
            ],
            log,
            cwd=log.parent,
        )

    def scrape(self) -> Samples:
        """All samples of one scrape, by name and sorted labels, bounds of buckets as the exporter writes them."""
        status, body = self._request("/metrics")
        assert status == 200, body
        return {_with_bound(name, dict(labels)): value for (name, labels), value in parse(body.decode()).items()}

    def value(self, name: str, **labels: str) -> float | None:
        """One sample's value, None where there is none."""
        return self.scrape().get(key(name, **labels))

    def _is_ready(self) -> bool:
        try:
            return self.address != "" and self._request("/")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def _with_bound(name: str, labels: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The key of a sample; node_exporter writes a bound of 1.0 as 1."""
    if labels.get("le", "+Inf") != "+Inf":
        labels["le"] = str(float(labels["le"]))
    return key(name, **labels)
