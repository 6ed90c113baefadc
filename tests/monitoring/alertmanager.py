"""A real Alertmanager, run with the sample configuration as far as a test can."""

import copy
from pathlib import Path
from typing import Any, Final

import yaml

from tests.monitoring.daemon import Daemon
from tests.monitoring.rules import seconds
from tests.programs import program

_SAMPLE: Final = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yml"
# Debian's build reads its templates from this folder, and nothing is installed here.
_ABSOLUTE = b"/usr/share/prometheus/alertmanager"
# As long as the other: in the program it is told by its length.
_RELATIVE = b"usr/share/prometheus//alertmanager"
_TIMINGS = ("group_wait", "group_interval")
_FASTER = 60


class Alertmanager(Daemon):
    """One Alertmanager.

    Args:
        name: Of the catalogue, such as `alertmanager`.
        configuration: As of its configuration file.
        folder: For its data; made.
    """

    def __init__(self, name: str, configuration: dict[str, Any], folder: Path) -> None:
        folder.mkdir()
        path = folder / "alertmanager.yml"
        path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        root = program(name)
        super().__init__(
            [
                _movable(root / "usr/bin/prometheus-alertmanager", folder),
                f"--config.file={path}",
                f"--storage.path={folder / 'data'}",
                "--web.external-url=http://alertmanager.example/",
                "--web.route-prefix=/",
                "--cluster.listen-address=",
            ],
            folder / "log.txt",
            cwd=root,
        )

    def inhibited(self, alert: str, instance: str) -> set[str]:
        """The names of the alerts because of which nobody is told of another; none if it doesn't fire, or is told."""
        alerts = self.get("/api/v2/alerts")
        names = {one["fingerprint"]: one["labels"]["alertname"] for one in alerts}
        wanted = {"alertname": alert, "instance": instance}.items()
        found = [one for one in alerts if wanted <= one["labels"].items()]
        return {names.get(by, "unknown") for one in found for by in one["status"]["inhibitedBy"]}


def sample() -> dict[str, Any]:
    """The configuration that we recommend."""
    loaded: dict[str, Any] = yaml.safe_load(_SAMPLE.read_text(encoding="utf-8"))
    return loaded


def derived(configuration: dict[str, Any], url: str) -> dict[str, Any]:
    """The same configuration with other receivers and timings, and nothing else changed.

    Args:
        configuration: As of the configuration file; it is left as it is.
        url: A webhook that stands for all receivers. Each is told apart by `receiver` in what it gets.
    """
    changed = copy.deepcopy(configuration)
    changed["receivers"] = [
        {"name": receiver["name"], "webhook_configs": [{"url": url, "send_resolved": True}]}
        for receiver in configuration["receivers"]
    ]
    for route in _routes(changed["route"]):
        for timing in _TIMINGS:
            if timing in route:
                route[timing] = f"{max(1, -(-seconds(route[timing]) // _FASTER))}s"
    return changed


def _routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    return [route, *(inner for child in route.get("routes", []) for inner in _routes(child))]


def _movable(original: Path, folder: Path) -> Path:
    """A copy that reads its templates from under its working folder; nothing else is changed."""
    code = original.read_bytes()
    assert _ABSOLUTE in code, f"{original} reads its templates from elsewhere"
    copied = folder / original.name
    copied.write_bytes(code.replace(_ABSOLUTE, _RELATIVE))
    copied.chmod(0o755)
    return copied
