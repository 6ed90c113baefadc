"""An exporter without HTTP that writes down what each of its snapshots shows: ``python -m tests.recount.child``.

Its arguments are the file for that and the exporter's flags. Each line is what a scrape of that snapshot would find.
"""

import json
import os
import signal
import sys
from pathlib import Path

from exporter import log
from exporter.background import Background
from exporter.metrics import DEFINITIONS
from exporter.own import OwnMetrics
from exporter.settings import load

BANS = next(definition for definition in DEFINITIONS if definition.name == "fail2ban_jail_bans_total")


def main(shown: Path, flags: list[str]) -> None:
    """Run until SIGTERM."""
    settings = load(flags, os.environ)
    log.configure("info", "logfmt")
    # Waited for, not handled: a handler may come at any moment, that of waiting included.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    lines = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def publish() -> None:
        samples = {labels[0]: value for labels, value in BANS.read(background.prober.snapshot)}
        os.write(lines, f"{json.dumps(samples)}\n".encode())

    background = Background(settings, OwnMetrics(), lambda: os.kill(os.getpid(), signal.SIGTERM), on_publish=publish)
    background.start()
    signal.sigwait({signal.SIGTERM})
    background.stop()
    os._exit(0)  # as the exporter does: threads may be at work


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
