"""A server of the Prometheus family as a process: on a free port of loopback, ended with its block."""

import http.client
import json
import re
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.ended import Ended
from tests.waiting import DEADLINE, wait_until

# Both generations of their logs: msg="Listening on" address=127.0.0.1:39769, with more keys in between in the later.
_LISTENING = re.compile(r'msg="Listening on".* address=127\.0\.0\.1:(\d+)')


class Daemon(Ended):
    """Started with its block, and ready when that begins; ended by its process when the block is left, in any case."""

    def __init__(self, argv: Sequence[str | Path], log: Path, cwd: Path) -> None:
        self.log_path = log
        self._argv = [*map(str, argv), "--web.listen-address=127.0.0.1:0"]
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log_path.open("wb") as output:
            self._process = subprocess.Popen(
                self._argv, cwd=self._cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            wait_until(self._is_ready, lambda: f"{self._argv[0]} is ready: {self.log()}")
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End it: in an orderly way if that takes no more than ten seconds."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def address(self) -> str:
        """Such as `127.0.0.1:39769`; empty until it listens."""
        found = _LISTENING.search(self.log())
        return f"127.0.0.1:{found[1]}" if found else ""

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Its own metrics now: name and sorted labels, and the value."""
        status, answer = self._request("/metrics")
        assert status == 200, answer
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.decode())
            for sample in family.samples
        }

    def log(self) -> str:
        """Everything that it has printed."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str, **parameters: str) -> Any:
        """GET a path of its API; the JSON document.

        Raises:
            AssertionError: It refused; with what it said.
        """
        return self._json(f"{path}?{urllib.parse.urlencode(parameters)}", None)

    def post(self, path: str, **parameters: str) -> Any:
        """The same by POST, for what is too long for an address."""
        return self._json(path, urllib.parse.urlencode(parameters).encode())

    def _json(self, path: str, body: bytes | None) -> Any:
        status, answer = self._request(path, body)
        assert status == 200, f"{path}: {status} {answer!r} {urllib.parse.unquote_plus((body or b'').decode())}"
        return json.loads(answer)

    def _request(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://{self.address}{path}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:  # noqa: S310
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self._argv[0]} ended with {self._process.returncode}: {self.log()}")
        try:
            return self.address != "" and self._request("/-/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False
