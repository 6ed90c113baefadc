"""`python -m tests.fleet`: a fleet of simulated hosts, until standard input ends."""

import argparse
import asyncio
import sys
import threading

from exporter.own import OwnMetrics
from tests.fleet.hosts import SimulatedHost
from tests.fleet.server import FleetServer


async def _serve(hosts: int) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=wait, daemon=True).start()
    own = OwnMetrics().registry
    await FleetServer(SimulatedHost(number, own) for number in range(hosts)).serve(ended)


def main() -> None:
    """Print the port, and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--hosts", type=int, default=300, help="how many (%(default)s)")
    asyncio.run(_serve(parser.parse_args().hosts))


if __name__ == "__main__":
    main()
