"""The program: ``python -m exporter``, and the console script."""

import os
import signal
import sys


def main() -> int:
    """Run the program; see `exporter.cli.main`.

    The kernel keeps signals from the first process of a container that it has not asked for: without this, SIGTERM
    would be lost while the rest is imported, and the container be killed ten seconds later.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from exporter import cli  # noqa: PLC0415  # it takes most of the start

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
