"""Runs timelines and adds up how the blame stands against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.recovery.baseline import simple_blames
from tests.recovery.judge import judge
from tests.recovery.limits import SENTENCES
from tests.recovery.maker import make_world
from tests.recovery.timeline import describe
from tests.recovery.watcher import Seen, watch


@dataclass(slots=True)
class Score:
    """How blame stands against the truth, over many timelines."""

    hits: int = 0
    false: int = 0
    missed: int = 0
    undecided: int = 0
    """Those that the timeline ended before, or whose moments are too close together to tell."""
    exact_hits: int = 0
    exact_faults: int = 0
    """Of those where the activation was reported exactly and the exit seen as it happened."""
    limits: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """How much of the blame is right."""
        return self.hits / max(1, self.hits + self.false)

    @property
    def recall(self) -> float:
        """How much of what is to be blamed is."""
        return self.hits / max(1, self.hits + self.missed)


@dataclass(slots=True)
class Trial:
    """The scores of all ways to watch, and the first timelines that go against the truth under no limit."""

    at_once: Score = field(default_factory=Score)
    polls: Score = field(default_factory=Score)
    baseline: Score = field(default_factory=Score)
    faults: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Timelines in which a flag or a counter did not keep what it promises."""

    def table(self) -> str:
        """Return the results as Markdown."""
        rows = [
            ("exits seen at once", self.at_once),
            ("exits seen only by probes", self.polls),
            ("the simple rule", self.baseline),
        ]
        lines = ["| | precision | recall | right | false | missed |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| {name} | {one.precision:.3f} | {one.recall:.3f} | {one.hits} | {one.false} | {one.missed} |"
            for name, one in rows
        ]
        exact = self.at_once
        share = exact.exact_hits / max(1, exact.exact_hits + exact.exact_faults)
        lines[3:3] = [
            f"| of these, activation reported exactly | {share:.3f} | {share:.3f} | {exact.exact_hits} | 0 | 0 |"
        ]
        if exact.exact_faults:
            lines[3] = (
                f"| of these, activation reported exactly | < 1 | < 1 | {exact.exact_hits} | {exact.exact_faults} | |"
            )
        lines += ["", "| limit | missed, at once | false, at once | missed, probes | false, probes |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        for limit in [*SENTENCES, "UNCLASSIFIED"]:
            cells = [
                score.limits[what, limit] for score in (self.at_once, self.polls) for what in ("miss", "false blame")
            ]
            if any(cells) or limit in SENTENCES:
                lines.append(f"| {limit} | {' | '.join(map(str, cells))} |")
        return "\n".join(lines)


def run(timelines: int, seed: int, progress: Callable[[int], None] = lambda _: None) -> Trial:
    """Run so many timelines; the same seed gives the same ones."""
    trial = Trial()
    for number in range(timelines):
        _add(trial, f"{seed}/{number}")
        progress(number + 1)
    return trial


def _add(trial: Trial, name: str) -> None:
    world = make_world(name)
    for score, at_once in ((trial.at_once, True), (trial.polls, False)):
        seen = watch(world, f"{name}/{at_once}", at_once=at_once)
        verdict = judge(world, seen, at_once=at_once)
        score.hits += verdict.hits
        score.undecided += verdict.undecided
        score.exact_hits += verdict.exact_hits
        score.limits += verdict.limits()
        score.false += sum(one.what == "false blame" for one in verdict.differences)
        score.missed += sum(one.what == "miss" for one in verdict.differences)
        score.exact_faults += sum(one.is_exact for one in verdict.differences)
        if verdict.faults():
            trial.faults.append(f"timeline {name}, at once: {at_once}\n{describe(world, seen, verdict)}")
        if seen.broken:
            broken = "\n".join(seen.broken)
            trial.broken.append(f"timeline {name}, at once: {at_once}\n{describe(world, seen, verdict)}\n{broken}")
    simple = Seen(blames=simple_blames(world, f"{name}/baseline"))
    verdict = judge(world, simple, at_once=False)
    trial.baseline.hits += verdict.hits
    trial.baseline.false += sum(one.what == "false blame" for one in verdict.differences)
    trial.baseline.missed += sum(one.what == "miss" for one in verdict.differences)
