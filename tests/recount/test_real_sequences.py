"""Whatever happens to fail2ban and to the exporter, each ban counts once: on real servers, with real restarts."""

from functools import partial
from pathlib import Path

import pytest

from tests import programs
from tests.real_fail2ban import RealFail2ban
from tests.recount.sequences import JAILS, ExporterChild, Life, play_all

SEQUENCES = 16
"""For each version."""
STEPS = 8
AT_ONCE = 6


@pytest.mark.parametrize("version", ["1.0.2", "1.1.1"])
def test_what_a_scraper_adds_up_is_what_fail2ban_banned_whoever_was_restarted_when(
    version: str, tmp_path: Path
) -> None:
    install = programs.fail2ban(version)

    def play(seed: int) -> None:
        folder = tmp_path / str(seed)
        folder.mkdir()
        with RealFail2ban(install, folder, JAILS) as fail2ban, ExporterChild(folder, fail2ban.socket) as exporter:
            life = Life(seed, fail2ban, exporter)
            life.play(STEPS)
            for jail in JAILS:
                assert life.made(jail.name) == exporter.increase(jail.name), life.told()

    play_all([partial(play, seed) for seed in range(SEQUENCES)], AT_ONCE)
