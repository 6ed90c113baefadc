"""A fail2ban of any size that costs next to nothing itself: constant answers over the real wire protocol."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Final

from exporter.demo.wire import WireServer, fault, good

_PROPERTIES: Final[dict[str, object]] = {
    "bantime": 600,
    "findtime": 600,
    "maxretry": 5,
    "actions": ["nftables-multiport"],
    "logpath": ["/var/log/auth.log"],
}


class ConstantFail2ban:
    """Answers as fail2ban 1.1.1 would that has so many jails, each with some bans and failures."""

    def __init__(self, jails: int) -> None:
        names = [f"jail-{number:04}" for number in range(jails)]
        self._replies = {
            ("ping",): good("pong"),
            ("version",): good("1.1.1"),
            ("status",): good([("Number of jail", jails), ("Jail list", ", ".join(names))]),
            ("stats",): good({name: ["polling", (3, 100 + number), (7, 50)] for number, name in enumerate(names)}),
            ("get", "dbfile"): good(None),
        }
        self._properties = {name: good(value) for name, value in _PROPERTIES.items()}

    def answer(self, command: list[str]) -> bytes:
        """Return the reply to a command."""
        if len(command) == 3 and command[0] == "get":  # noqa: PLR2004  # get JAIL PROPERTY
            return self._properties[command[2]]
        return self._replies.get(tuple(command)) or fault("builtins", "Exception", "Invalid command")


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("socket", type=Path, help="the socket to listen on")
    parser.add_argument("--jails", type=int, default=50, help="how many jails it has (%(default)s)")
    arguments = parser.parse_args()
    server = WireServer(arguments.socket, ConstantFail2ban(arguments.jails).answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.remove()


if __name__ == "__main__":
    main()
