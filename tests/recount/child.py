"""An exporter without HTTP that writes down what each of its snapshots shows: ``python -m tests.recount.child``.

Its arguments are the file for that and the exporter's flags. Each line is what a scrape of that snapshot would find.
"""

import json
import os
import signal
import sys
import threading
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
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    lines = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def publish() -> None:
        samples = {labels[0]: value for labels, value in BANS.read(background.prober.snapshot)}
        os.write(lines, f"{json.dumps(samples)}\n".encode())

    background = Background(settings, OwnMetrics(), over.set, on_publish=publish)
    background.start()
    over.wait()
    background.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
