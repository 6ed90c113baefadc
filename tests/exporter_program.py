"""The exporter as its users run it: a process of its own, on a free port of loopback."""

import base64
import json
import os
import re
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from tests.ended import LoggedProgram
from tests.waiting import DEADLINE, wait_until

_LISTENING = re.compile(r"event=listening addresses=127\.0\.0\.1:(\d+)")

MEMORY_BOUND: Final = (
    55_000_000 if sys.version_info < (3, 13) else 60_000_000 if sys.version_info < (3, 14) else 70_000_000
)
"""Bytes that it may have resident with 50 jails: the same modules take some 5 MB more in Python 3.13, 13 in 3.14."""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class ExporterProgram(LoggedProgram):
    """``python -m exporter`` with flags; ended with its block, whatever happened in it."""

    def __init__(  # noqa: PLR0913  # a program has as many
        self,
        *flags: str,
        command: str = "",
        log: Path,
        prefix: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        user: str = "",
        environment: dict[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        """Start it, and wait for its first answer.

        Args:
            flags: Its flags.
            command: Its command.
            log: Where what it prints goes.
            prefix: A program that runs it and becomes it, such as ``setpriv`` with arguments.
            tls: Speaks HTTPS with it.
            user: Who asks, with the password after a colon.
            environment: What its environment has beside that of the tests.
            python: The interpreter, which brings its own dependencies.
        """
        self._tls = tls
        self._headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
        started = time.monotonic()
        words = [command] if command else []
        argv = [*prefix, python, "-m", "exporter", *words, "--web.listen-address=127.0.0.1:0", *flags]
        super().__init__(argv, log, unset_environment() | (environment or {}))
        try:
            wait_until(lambda: self.port != 0, lambda: f"the exporter listens: {self.log()}")
            self.first_answer: str = self.get("/metrics").body
        except BaseException:
            self._process.kill()
            raise
        self.seconds_to_first_answer = time.monotonic() - started

    @property
    def port(self) -> int:
        """The port, 0 until it listens."""
        found = _LISTENING.search(self.log())
        if found is None and self._process.poll() is not None:
            raise AssertionError(f"the exporter ended with {self._process.returncode}: {self.log()}")
        return 0 if found is None else int(found.group(1))

    def get(self, path: str, headers: dict[str, str] | None = None) -> "Answer":
        """GET a path."""
        request = urllib.request.Request(self._url(path), headers=self._headers | (headers or {}))  # noqa: S310
        return self._answer(request)

    def _url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}" if self._tls else f"http://127.0.0.1:{self.port}{path}"

    def _answer(self, request: urllib.request.Request) -> "Answer":
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE, context=self._tls) as response:  # noqa: S310
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def post(self, path: str, document: object | None = None) -> "Answer":
        """POST a JSON document."""
        body = b"" if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._url(path), data=body, method="POST", headers=self._headers)  # noqa: S310
        return self._answer(request)

    def status(self) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = json.loads(self.get("/api/v1/status").body)
        return document

    def scrape(self) -> Samples:
        """All samples of one scrape, by name and sorted labels."""
        return parse(self.get("/metrics").body)

    def value(self, name: str, **labels: str) -> float | None:
        """One sample's value, None where there is none."""
        return self.scrape().get(key(name, **labels))

    def wait_for(self, name: str, value: float | None, seconds: float = DEADLINE, **labels: str) -> float:
        """Wait until a sample has a value (None: until it is gone); return how many seconds that took."""
        started = time.monotonic()
        wait_until(
            lambda: self.value(name, **labels) == value,
            lambda: f"{name}{labels} is {value}, not {self.value(name, **labels)}: {self.log()}",
            seconds,
        )
        return time.monotonic() - started

    def wait_state(self, state: str, seconds: float = DEADLINE) -> float:
        """Wait until fail2ban is in a state; return how many seconds that took."""
        return self.wait_for("fail2ban_state", 1, seconds, fail2ban_state=state)

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and how many seconds the end took."""
        started = time.monotonic()
        self.send_signal(signal.SIGTERM)
        return self.wait_end(), time.monotonic() - started

    def resident_bytes(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) * 1024


def unset_environment() -> dict[str, str]:
    """The environment of the tests, less what would be a setting of the exporter."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FAIL2BAN_EXPORTER_")}


def without_developers_packages(folder: Path) -> dict[str, str]:
    """Environment in which it finds what its users have: structlog takes 4 MB for packages that our tools bring."""
    for package in ("greenlet", "rich"):
        (folder / f"{package}.py").write_text("raise ImportError\n", encoding="ascii")
    return {"PYTHONPATH": str(folder)}


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, body: str, headers: dict[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def parse(text: str) -> Samples:
    """All samples of an exposition, by name and sorted labels."""
    return {
        key(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The key of a sample in `Samples`."""
    return name, tuple(sorted(labels.items()))
