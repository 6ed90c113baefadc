"""Holds what the exporter concluded against the truth, and looks for the limit behind every difference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.health.activations import Span
from exporter.health.blame import BASELINE_SECONDS
from exporter.model import ExitKind, Result
from tests.recovery.limits import Limit
from tests.recovery.watcher import Blame, Look, Seen
from tests.recovery.world import BEGINS, Outage, Report, World

_RESOLUTION: Final = 0.02
"""Seconds within which the order of two moments is not judged."""
_SLOWEST_LOOK: Final = 1.1
"""Seconds that a probe of a server that answers may take."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A verdict against the truth."""

    what: str
    """``miss`` or ``false blame``."""
    jail: str
    at: float
    limit: Limit | None
    """None if it falls under none of them."""
    is_exact: bool
    """Whether activation and exit were known exactly, so that no limit excuses it."""


@dataclass(slots=True)
class Verdict:
    """How the blame of one timeline stands against the truth."""

    hits: int = 0
    exact_hits: int = 0
    undecided: int = 0
    differences: list[Difference] = field(default_factory=list)

    def limits(self) -> Counter[tuple[str, str]]:
        """Count the differences by what they are and the limit that they fall under."""
        return Counter((one.what, one.limit or "UNCLASSIFIED") for one in self.differences)

    def faults(self) -> list[Difference]:
        """Return the differences that nothing excuses."""
        return [one for one in self.differences if one.limit is None or one.is_exact]


def judge(world: World, seen: Seen, *, at_once: bool) -> Verdict:
    """Compare what was concluded with the truth."""
    return _Judge(world, seen, at_once=at_once).verdict()


def matched(outages: Sequence[Outage], blames: Sequence[Blame]) -> list[tuple[Blame, Outage | None]]:
    """Find the outage that each blame is about: one that it is right about, if there is one."""
    taken: set[tuple[float, str]] = set()
    pairs: list[tuple[Blame, Outage | None]] = []
    for blame in blames:
        about = [one for one in outages if _is_about(blame.went_down, one)]
        rank = [((one.down, blame.jail) in taken, blame.jail not in one.guilty, not one.counts) for one in about]
        about = [one for _, one in sorted(zip(rank, about, strict=True), key=lambda pair: pair[0])]
        if about and (about[0].down, blame.jail) not in taken:
            taken.add((about[0].down, blame.jail))
            pairs.append((blame, about[0]))
        else:
            pairs.append((blame, None))
    return pairs


def _is_about(went_down: Span, outage: Outage) -> bool:
    moments = [outage.down] if outage.ended is None else [outage.down, outage.ended]
    return any(went_down.start - _RESOLUTION <= moment <= went_down.end + _RESOLUTION for moment in moments)


class _Judge:
    def __init__(self, world: World, seen: Seen, *, at_once: bool) -> None:
        self._world = world
        self._traits = world.traits
        self._window = world.traits.window
        self._seen = seen
        self._at_once = at_once
        self._outages = world.outages()
        self._exits = {told.identity: told for _, told in seen.exits}

    def verdict(self) -> Verdict:
        verdict = Verdict()
        pairs = matched(self._outages, self._seen.blames)
        hit = {(outage.down, blame.jail) for blame, outage in pairs if outage and blame.jail in outage.guilty}
        for blame, outage in pairs:
            if outage is not None and self._is_close(outage, blame.jail):
                verdict.undecided += 1
            elif outage is not None and blame.jail in outage.guilty:
                verdict.hits += 1
                verdict.exact_hits += self._is_exact(outage, blame.jail)
            else:
                limit = None if outage is None else self._why_blamed(blame, outage)
                # Whether a start failed is not a matter of moments.
                is_start = limit in {Limit.DISABLED_UNSEEN, Limit.STOP_WITHOUT_START}
                exact = outage is not None and not is_start and self._is_exact(outage, blame.jail)
                verdict.differences.append(Difference("false blame", blame.jail, blame.at, limit, exact))
        for outage in self._outages:
            for jail in sorted(outage.guilty):
                if (outage.down, jail) in hit:
                    continue
                if self._is_close(outage, jail) or self._is_open(outage):
                    verdict.undecided += 1
                    continue
                limit = self._why_missed(outage, jail)
                exact = self._is_exact(outage, jail)
                verdict.differences.append(Difference("miss", jail, outage.down, limit, exact))
        return verdict

    # What is not judged.

    def _is_close(self, outage: Outage, jail: str) -> bool:
        """Tell whether moments are too close to one another to be told apart."""
        distances = [abs(outage.down - at - far) for at in self._loads(jail) for far in (0, self._window)]
        if outage.ended is not None and not outage.is_crash:
            distances.append(max(0, abs(outage.up - outage.ended - self._traits.grace) - _SLOWEST_LOOK))
        return min(distances, default=math.inf) <= _RESOLUTION

    def _is_open(self, outage: Outage) -> bool:
        """Tell whether the timeline ended before it had to be clear."""
        traits = self._traits
        needed = traits.interval + traits.timeout + _SLOWEST_LOOK * 2
        if not self._at_once:
            needed += traits.grace
        if not outage.is_crash:
            needed += traits.grace if outage.ended is not None and not outage.hung else self._window + traits.timeout
        shown = outage.ended if outage.is_crash and outage.ended is not None else outage.down
        return shown + needed > traits.horizon

    # What is known of it.

    def _is_exact(self, outage: Outage, jail: str) -> bool:  # noqa: PLR0911
        """Tell whether its end was seen as it happened, and the jail's activations reported exactly and in time."""
        told = self._exits.get(outage.identity)
        if not self._at_once or self._traits.has_configuration or outage.hung or told is None:
            return False
        if told.before - told.after > _RESOLUTION or self._is_merged(outage):
            return False
        if any(outage.down <= refusal.at < outage.up for refusal in self._world.refusals):
            return False
        if any(begun > BEGINS for begun in self._seen.begun) or self._is_unattended(outage):
            return False
        loads = self._loads(jail)
        if any(at <= outage.down and not self._is_shown(jail, at) for at in loads):
            return False
        if any(report.happened not in loads or abs(at - report.happened) > 1e-6 for report, at in self._reports(jail)):
            return False
        return (
            bool(loads)
            and all(
                any(
                    abs(report.happened - at) < 1e-6 and abs(happened - at) < 1e-6
                    for report, happened in self._reports(jail)
                )
                for at in loads
            )
            and all(
                report.told < min(outage.down, outage.up) or report.happened > outage.down
                for report, _ in self._reports(jail)
            )
        )

    def _loads(self, jail: str) -> list[float]:
        return [load.at for load in self._world.loads if load.jail == jail]

    def _reports(self, jail: str) -> list[tuple[Report, float]]:
        return [(report, at) for report, at in self._seen.reports if report.jail == jail]

    def _enabled_since(self, jail: str, at: float) -> float:
        """Return when the jail was enabled, for the last time before that moment."""
        since, before = -math.inf, self._world.baseline
        for edit in self._world.edits:
            if edit.at > at:
                break
            if jail in edit.enabled and jail not in before:
                since = edit.at
            before = edit.enabled
        return since

    def _looks(self, start: float, end: float) -> list[Look]:
        return [look for look in self._seen.looks if start <= look.at <= end]

    def _is_seen_running(self, jail: str, start: float, end: float) -> bool:
        return any(jail in look.jails for look in self._looks(start, end))

    def _found(self, outage: Outage) -> Look | None:
        """Return the first probe that failed because of it."""
        return next((look for look in self._looks(outage.down, outage.up) if look.result is not Result.SUCCESS), None)

    def _is_merged(self, outage: Outage) -> bool:
        """Tell whether the outage before or after it was not seen to be another one."""
        index = self._outages.index(outage)
        neighbours = []
        if index > 0:
            neighbours.append((self._outages[index - 1].up, outage.down))
        if index + 1 < len(self._outages):
            neighbours.append((outage.up, self._outages[index + 1].down))
        return any(
            not any(look.result is Result.SUCCESS for look in self._looks(start, end)) for start, end in neighbours
        )

    def _is_never_seen(self, outage: Outage) -> bool:
        """Tell whether no look ever found the process that ended."""
        return not any(look.identity == outage.identity for look in self._seen.looks)

    def _fresh_at(self, jail: str, at: float) -> bool:
        """Tell whether the jail was enabled then and had not run since it was."""
        since = self._enabled_since(jail, at)
        is_enabled = jail in self._world.enabled_at(at)
        return is_enabled and since > 0 and not any(since <= load <= at for load in self._loads(jail))

    # Why a jail was not blamed that should have been.

    def _why_missed(self, outage: Outage, jail: str) -> Limit | None:
        caused = [at for at in self._loads(jail) if at <= outage.down <= at + self._window]
        checks = [
            (Limit.EXPORTER_AWAY, self._is_forgotten(outage, jail)),
            (Limit.SEEN_AS_ONE, self._is_never_seen(outage)),
            (Limit.CRASH_NOT_SHOWN, self._is_crash_hidden(outage)),
            (Limit.HANG_FOUND_LATE, self._is_hang_short(outage)),
            (Limit.SHORT_OUTAGE, self._is_outage_short(outage)),
            (Limit.REFUSED_WHILE_DOWN, not caused and self._is_down_anyway(outage, jail)),
            (Limit.NOT_TOLD, self._is_untold(outage, jail)),
            (Limit.TOLD_TOO_LATE, self._is_told_too_late(outage, jail)),
            (Limit.MISDATED_REPORT, self._is_misdated(jail)),
            (Limit.LOADED_LATE, self._is_loaded_late(outage, jail, caused)),
            (Limit.SEEN_AS_ONE, self._is_merged(outage)),
        ]
        return next((limit for limit, applies in checks if applies), None)

    def _is_forgotten(self, outage: Outage, jail: str) -> bool:
        moments = (outage.down, min(outage.up, self._traits.horizon))
        since = min(self._enabled_since(jail, at) for at in moments)
        begun = [at for at in self._seen.begun if at > BEGINS]
        if any(
            since <= at + BASELINE_SECONDS and at <= max(outage.up, outage.down + self._window + self._traits.interval)
            for at in begun
        ):
            return True
        if self._is_unattended(outage) and not (outage.is_crash and self._is_crash_shown(outage)):
            return True
        if any(one.start <= at <= one.end for one in self._world.absences for at in self._loads(jail)):
            return True
        heard = {report for report, _ in self._reports(jail)}
        unheard = [one for one in self._world.reports if one.jail == jail and one not in heard]
        return not self._traits.has_configuration and bool(unheard)

    def _is_watched(self, outage: Outage) -> bool:
        """Tell whether its end was seen as it happened."""
        told = self._exits.get(outage.identity)
        return told is not None and told.before - told.after <= _RESOLUTION

    def _is_back_soon(self, outage: Outage) -> bool:
        """Tell whether the server served again before the grace was over that began when it was found gone."""
        gone = outage.down if outage.ended is None else outage.ended
        found = next((look for look in self._looks(gone, outage.up) if look.result is Result.CONNECTION_REFUSED), None)
        return found is None or outage.up <= found.at + self._traits.grace + _SLOWEST_LOOK

    def _is_unattended(self, outage: Outage) -> bool:
        """Tell whether the exporter was away during some of it."""
        return any(one.start <= outage.up and outage.down <= one.end for one in self._world.absences)

    def _is_crash_shown(self, outage: Outage) -> bool:
        told = self._exits.get(outage.identity)
        return told is not None and told.kind is ExitKind.CRASH

    def _is_crash_hidden(self, outage: Outage) -> bool:
        return (
            outage.is_crash
            and not self._is_crash_shown(outage)
            and not self._is_watched(outage)
            and self._is_back_soon(outage)
        )

    def _is_hang_short(self, outage: Outage) -> bool:
        """Tell whether it hung for too short a time since that was found, or ended before it was found."""
        found = self._found(outage)
        if not outage.hung:
            return False
        if outage.ended is not None and (found is None or found.at >= outage.ended):
            return True
        over = outage.up if outage.ended is None else outage.ended
        is_short = found is None or over <= found.at + self._window + self._traits.timeout + _SLOWEST_LOOK
        return is_short and not outage.is_crash and self._is_back_soon(outage)

    def _is_outage_short(self, outage: Outage) -> bool:
        return not self._is_watched(outage) and not outage.is_crash and self._is_back_soon(outage)

    def _is_down_anyway(self, outage: Outage, jail: str) -> bool:
        since = self._enabled_since(jail, outage.up)
        return (
            outage.is_crash or outage.hung or since > (outage.ended or outage.down) + self._traits.grace - _SLOWEST_LOOK
        )

    def _reports_of(self, outage: Outage, jail: str) -> list[Report]:
        """Return what was reported of the activations that brought it down, or kept it down."""
        return [
            report
            for report, _ in self._reports(jail)
            if report.happened >= outage.down - self._window or not report.is_dated
        ]

    def _is_untold(self, outage: Outage, jail: str) -> bool:
        if self._traits.has_configuration or self._reports_of(outage, jail):
            return False
        first: dict[str, Look] = {}
        for look in self._looks(outage.down - self._window, outage.down + _RESOLUTION):
            if look.identity is not None:
                began = first.setdefault(look.identity, look)
                if jail in look.jails and jail not in began.jails and look.at > began.at + BASELINE_SECONDS:
                    return False
        return True

    def _is_told_too_late(self, outage: Outage, jail: str) -> bool:
        if self._traits.has_configuration:
            return False
        return all(report.told > outage.up + self._window for report in self._reports_of(outage, jail))

    def _is_misdated(self, jail: str) -> bool:
        return any(
            min((abs(happened - at) for at in self._loads(jail)), default=math.inf) > _RESOLUTION
            for report, happened in self._reports(jail)
        )

    def _is_loaded_late(self, outage: Outage, jail: str, caused: Sequence[float]) -> bool:
        if not self._traits.has_configuration or not caused:
            return False
        late = max(caused)
        is_old = outage.down > self._enabled_since(jail, late) + self._window - _SLOWEST_LOOK
        disabled = (edit.at for edit in self._world.edits if edit.at > late and jail not in edit.enabled)
        return is_old and not self._is_seen_running(jail, late, min(outage.down, next(disabled, math.inf)))

    # Why a jail was blamed that should not have been.

    def _why_blamed(self, blame: Blame, outage: Outage) -> Limit | None:
        jail, told = blame.jail, self._exits.get(outage.identity)
        is_start = told is None or told.kind is not ExitKind.CRASH
        fits = outage.counts and self._is_span_true(blame, outage)
        checks = [
            (Limit.SEEN_AS_ONE, self._is_merged(outage)),
            (Limit.STOP_WITHOUT_START, outage.counts and is_start and self._was_fresh(jail, outage, blame)),
            (Limit.NEVER_LOADED, fits and self._is_only_edited(blame, outage)),
            (
                Limit.OUTAGE_SPAN,
                fits and any(_overlap(blame.went_down, at, at + self._window) for at in self._loads(jail)),
            ),
            (Limit.ACTIVATION_SPAN, fits and self._may_have_been(blame)),
            (Limit.NOT_SEEN_RUNNING, outage.counts and self._is_unseen(jail, outage)),
            (Limit.EXPORTER_AWAY, outage.counts and self._is_before_memory(jail)),
            (Limit.DISABLED_UNSEEN, outage.counts and is_start and self._is_disabled_unseen(jail, blame.at)),
            (Limit.MISDATED_REPORT, outage.counts and self._is_misdated(jail)),
        ]
        return next((limit for limit, applies in checks if applies), None)

    def _is_before_memory(self, jail: str) -> bool:
        """Tell whether a report was about a time before the exporter began to watch, knowing nothing."""
        return any(
            happened < begun <= report.told
            for report, happened in self._reports(jail)
            for begun in self._seen.begun
            if begun > BEGINS
        )

    def _was_fresh(self, jail: str, outage: Outage, blame: Blame) -> bool:
        return any(self._fresh_at(jail, at) for at in (outage.down, blame.at - _SLOWEST_LOOK, blame.at))

    def _is_disabled_unseen(self, jail: str, at: float) -> bool:
        """Tell whether nothing showed that it was disabled again: no look at a server well past its start."""
        if self._traits.has_configuration or jail in self._world.enabled_at(at):
            return False
        since = max((edit.at for edit in self._world.edits if edit.at <= at and jail not in edit.enabled), default=0.0)
        began = {one.identity: one.listens for one in self._world.processes}
        reports = [report.told for report, _ in self._reports(jail)]
        since = max([since, *(told for told in reports if told <= at)])
        return not any(
            look.identity is not None
            and began[look.identity] >= since
            and look.at >= began[look.identity] + BASELINE_SECONDS + _SLOWEST_LOOK * 2
            for look in self._looks(since, at)
        )

    def _is_span_true(self, blame: Blame, outage: Outage) -> bool:
        """Tell whether the span of the outage is no wider than the looks around it leave it."""
        up = [look.at for look in self._looks(0, outage.down) if look.result is Result.SUCCESS]
        told, found = self._exits.get(outage.identity), self._found(outage)
        ends = [0.0 if told is None else told.before, 0.0 if found is None else found.at]
        if outage.hung:
            ends += [look.at for look in self._looks(outage.down, outage.up)]
        is_known = not any(one.start <= blame.at for one in self._world.absences)
        starts = max(up, default=0.0) if is_known else 0.0
        return starts - _RESOLUTION <= blame.went_down.start and blame.went_down.end <= max(ends) + _RESOLUTION

    def _is_only_edited(self, blame: Blame, outage: Outage) -> bool:
        edits = self._edits_of(blame.jail) if self._traits.has_configuration else []
        loads = self._loads(blame.jail)
        edits += [(at, at) for one, at in self._reports(blame.jail) if one.is_dated and one.happened not in loads]
        return any(
            _overlap(blame.went_down, since, at + self._window)
            and not any(since <= load <= outage.down for load in self._loads(blame.jail))
            for since, at in edits
        )

    def _edits_of(self, jail: str) -> list[tuple[float, float]]:
        """Return the spans in which the exporter saw it become enabled."""
        before: frozenset[str] | None = None
        spans = []
        for reading in self._seen.readings:
            if before is not None and jail in reading.enabled - before:
                spans.append((reading.since, reading.at))
            before = reading.enabled
        return spans

    def _may_have_been(self, blame: Blame) -> bool:
        """Tell whether the server may have gone down within a window of a moment that may have loaded the jail."""
        spans = self._edits_of(blame.jail) if self._traits.has_configuration else []
        for load in self._loads(blame.jail):
            without = [look.at for look in self._looks(0, load) if look.identity and blame.jail not in look.jails]
            shown = [look.at for look in self._looks(load, math.inf) if blame.jail in look.jails]
            spans.append((max(without, default=0.0), min(shown, default=load)))
        spans.sort()
        hulls: list[tuple[float, float]] = []
        for start, end in spans:
            if hulls and start <= hulls[-1][1] + self._window:
                hulls[-1] = (hulls[-1][0], max(end, hulls[-1][1]))
            else:
                hulls.append((start, end))
        return any(_overlap(blame.went_down, start, end + self._window) for start, end in hulls)

    def _is_shown(self, jail: str, load: float) -> bool:
        """Tell whether a look showed the jail in the process that loaded it."""
        process = self._world.process_at(load)
        return process is not None and self._is_seen_running(jail, load, process.ended)

    def _is_unseen(self, jail: str, outage: Outage) -> bool:
        """Tell whether it ran, and no look showed it while the process lived that loaded it."""
        return any(at <= outage.down and not self._is_shown(jail, at) for at in self._loads(jail))


def _overlap(span: Span, start: float, end: float) -> bool:
    return span.start <= end + _RESOLUTION and start <= span.end + _RESOLUTION
