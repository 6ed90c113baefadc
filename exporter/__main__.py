"""The program: ``python -m exporter``, and the console script."""

import os
import signal
import sys
import threading


def main() -> int:
    """Run the program; see `exporter.cli.main`.

    The kernel keeps signals from the first process of a container that it has not asked for: without this, SIGTERM
    would be lost while the rest is imported, and the container be killed ten seconds later.

    Threads may be left that hang in the kernel, or that are just writing to the log, which the interpreter takes for
    reason to abort when it winds up. So it does not: all that is to be done at the end has been done by then.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from exporter import cli  # noqa: PLC0415  # it takes most of the start

    status = cli.main()
    if threading.active_count() > 1:
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
