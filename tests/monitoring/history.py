"""A past for a Prometheus that has just been started: what long-range rules look back on can't be waited for."""

import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.monitoring.prometheus import Prometheus
from tests.programs import promtool

_PROMTOOL_SECONDS = 120


@dataclass(frozen=True)
class Past:
    """One series of the past.

    Attributes:
        name: Of the metric.
        labels: All of them, `job` and `instance` too.
        value: From a moment, in seconds since the epoch, to the value it had.
    """

    name: str
    labels: dict[str, str]
    value: Callable[[float], float]


def write_blocks(folder: Path, past: Iterable[Past], start: float, end: float, step: float) -> None:
    """Make a folder of blocks that a Prometheus can start with.

    Raises:
        AssertionError: promtool refused; with what it said.
    """
    folder.mkdir()
    text = folder.with_suffix(".txt")
    with text.open("w", encoding="utf-8") as lines:
        for series in past:
            lines.writelines(_lines(series, start, end, step))
        lines.write("# EOF\n")
    _create_blocks("openmetrics", text, folder)
    text.unlink()


def record(folder: Path, rules: Path, start: float, end: float) -> None:
    """Add to a folder of blocks what recording rules would have recorded over them, at their own intervals.

    Raises:
        AssertionError: As `write_blocks` does.
    """
    with (
        TemporaryDirectory(dir=folder.parent) as scratch,
        Prometheus("prometheus-2.42", Path(scratch) / "prometheus", {"groups": []}, None, folder) as prometheus,
    ):
        url = f"--url=http://{prometheus.address}"
        span = (f"--start={start:.0f}", f"--end={end:.0f}")
        _create_blocks("rules", url, *span, f"--output-dir={folder}", rules)


def _create_blocks(*arguments: str | Path) -> None:
    # One block for all of it: promtool reads the whole text again for each.
    done = subprocess.run(
        [promtool(), "tsdb", "create-blocks-from", "--max-block-duration=768h", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_PROMTOOL_SECONDS,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def _lines(series: Past, start: float, end: float, step: float) -> Iterator[str]:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in series.labels.items())
    moment = start
    while moment <= end:
        yield f"{series.name}{{{labels}}} {series.value(moment)!r} {moment:.0f}\n"
        moment += step


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
