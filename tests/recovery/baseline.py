"""The simple rule that the recovery must beat: a poll every 30 seconds, and whoever was activated in the last 60."""

from __future__ import annotations

import random
from typing import Final

from exporter.health.activations import Span
from tests.recovery.watcher import Blame
from tests.recovery.world import BEGINS, World

_INTERVAL: Final = 30.0
_WINDOW: Final = 60.0


def simple_blames(world: World, seed: str) -> list[Blame]:
    """Return whom the simple rule blames: every activation at most 60 s before a poll that finds fail2ban away.

    It is told when each jail was loaded, or its start refused, to the moment, which is more than it would know.
    """
    activated = [(load.at, load.jail) for load in world.loads]
    activated += [(refusal.at, jail) for refusal in world.refusals for jail in refusal.fresh]
    rng = random.Random(seed)  # noqa: S311  # to be repeatable, not secret
    at, up_at = BEGINS + rng.random() * _INTERVAL, BEGINS
    blames: list[Blame] = []
    blamed: set[str] = set()
    while at < world.traits.horizon:
        process = world.process_at(at)
        if process is not None and process.answers_at(at) <= at + world.traits.timeout:
            up_at, blamed = at, set()
        else:
            guilty = {jail for moment, jail in activated if moment <= at <= moment + _WINDOW} - blamed
            blames += [Blame(jail, at, Span(up_at, at)) for jail in sorted(guilty)]
            blamed |= guilty
        at += _INTERVAL
    return blames
