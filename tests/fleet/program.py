"""The fleet as a process of its own, ended with its block."""

import sys
import urllib.request
from typing import Any

from tests.ended import ChildProcess
from tests.fleet.hosts import SimulatedHost, Trouble, name_of, trouble_of
from tests.waiting import DEADLINE


class Fleet(ChildProcess):
    """So many hosts, with all of which it goes well at first.

    Args:
        hosts: How many.
    """

    def __init__(self, hosts: int) -> None:
        super().__init__([sys.executable, "-m", "tests.fleet", f"--hosts={hosts}"])
        self.size = hosts
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            self.close()
            raise AssertionError(f"the fleet ended with {self._process.returncode}")
        self.address = f"127.0.0.1:{int(port)}"

    def discovery(self, refresh: str = "5s") -> dict[str, Any]:
        """The part of a scrape job that has Prometheus find all hosts."""
        return {"http_sd_configs": [{"url": f"http://{self.address}/targets", "refresh_interval": refresh}]}

    def begin_trouble(self) -> None:
        """Let happen what is to befall each host."""
        request = urllib.request.Request(f"http://{self.address}/trouble", method="POST")
        with urllib.request.urlopen(request, timeout=DEADLINE):  # noqa: S310  # it is ours
            pass

    def scraped(self, number: int) -> bytes:
        """What a scrape of one host gets, uncompressed."""
        with urllib.request.urlopen(f"http://{self.address}/{name_of(number)}/metrics", timeout=DEADLINE) as response:
            body: bytes = response.read()
            return body

    def instances(self, *troubles: Trouble) -> set[str]:
        """The `instance` labels of the hosts that some kinds of trouble befall."""
        return {f"{name_of(number)}.example:9191" for number in range(self.size) if trouble_of(number) in troubles}

    def jails(self, *troubles: Trouble) -> int:
        """How many jails the hosts of some kinds have while all is well."""
        return sum(
            len(SimulatedHost(number, _NoMetrics()).jails)
            for number in range(self.size)
            if trouble_of(number) in troubles
        )


class _NoMetrics:
    def collect(self) -> list[Any]:
        return []
