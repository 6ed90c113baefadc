"""The file that node_exporter's textfile collector reads: written whole, and never left to look alive."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import structlog

from exporter.whole_file import expect_regular, write_whole

SUFFIX: Final = ".prom"
"""node_exporter reads files whose names end so, and no others."""
_MODE: Final = 0o644  # node_exporter runs as a user of its own


class TextFile:
    """One such file. Belongs to one thread."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is written yet, and the folder may be missing."""
        self._path = path
        # By its process: two that write the same file at a time must not rename each other's halves.
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        self._fails = False
        self._log = structlog.get_logger()
        if path.suffix != SUFFIX:
            self._log.warning("textfile_not_read", path=str(path), reason=f"node_exporter reads only *{SUFFIX}")

    def write(self, content: bytes) -> bool:
        """Put this in place of what is there; tell whether that could be done.

        It never raises. A failure is logged once, until it has worked again, and takes what is there away:
        node_exporter would serve it as if it were live.
        """
        try:
            expect_regular(self._path)
        except OSError as error:
            self._failed(error)
            return False
        try:
            write_whole(self._path, content, mode=_MODE, temporary=self._temporary)
        except OSError as error:
            self._failed(error)
            self.remove()
            return False
        if self._fails:
            self._fails = False
            self._log.info("textfile_writable_again", path=str(self._path))
        return True

    def remove(self) -> None:
        """Take the file away, if it is there and that can be done."""
        with contextlib.suppress(OSError):
            expect_regular(self._path)
            self._path.unlink()

    def _failed(self, error: OSError) -> None:
        if not self._fails:
            self._fails = True
            self._log.error(
                "textfile_unwritable",
                path=str(self._path),
                error=error,
                consequence="node_exporter has no metrics of fail2ban until it can be written",
            )
