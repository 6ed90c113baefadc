"""A process that writes to an SQLite database as fail2ban does; locks are told apart by process."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.waiting import DEADLINE

ROWS = 7
"""Rows of one transaction: a count that is no multiple was read in the middle of one."""

SCHEMA = "CREATE TABLE IF NOT EXISTS bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON)"


class Writer:
    """Does as it is told, and never waits for a lock: what it can't have at once is an error."""

    def __init__(self, database: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.files.writer", str(database)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(DEADLINE)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, statement: str) -> None:
        """Have a statement run, without waiting for what comes of it.

        ``write 5 0.001`` is five transactions of `ROWS` rows each, a millisecond after one another.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Wait for what came of the statement that was told longest ago."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, statement: str) -> Any:
        """Have a statement run; return its rows. An error is an AssertionError."""
        self.tell(statement)
        answer = self.hear()
        assert "error" not in answer, answer
        return answer["rows"]


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def _write(connection: sqlite3.Connection, transactions: float, pace: float = 0.0) -> None:
    for number in range(int(transactions)):
        time.sleep(pace)
        connection.execute("BEGIN IMMEDIATE")
        rows = [(f"192.0.2.{number % 256}", number, "x" * (number % 900)) for _ in range(ROWS)]
        connection.executemany("INSERT INTO bans VALUES ('sshd', ?, ?, ?)", rows)
        connection.execute("COMMIT")


def _main(path: str) -> None:
    connection = _connect(path)
    for line in sys.stdin:
        statement = json.loads(line)
        try:
            if statement.startswith("write "):
                _write(connection, *map(float, statement.split()[1:]))
                answer: dict[str, Any] = {"rows": []}
            else:
                answer = {"rows": connection.execute(statement).fetchall()}
        except sqlite3.Error as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
