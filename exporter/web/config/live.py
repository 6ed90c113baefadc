"""The web config in force: read at the start, and again whenever its files change."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import structlog

from exporter.web.config.model import InvalidWebConfig, WebConfig

_LOOK_SECONDS = 1.0
_LOOKS_AT_A_CHANGE = 3
"""Times at which files are read again though they look the same: a file changed twice within the file system's
resolution looks as if it had changed once, and of several one is in place before the others."""

_Signature = tuple[object, ...]


class Noted(Protocol):
    """Is told whether a change could be taken over."""

    def __call__(self, *, successfully: bool) -> None:
        """Note it."""


class LiveConfig:
    """Holds the configuration in force, and a thread that looks at its files once a second.

    A change is taken over as a whole, or not at all: with any fault in it the old configuration stays in force. Such
    faults are logged once, and only when they are still there a second later, since of a certificate and its key one
    is always replaced first. `current` may be read from any thread; what it returns never changes.
    """

    def __init__(self, path: Path | None, noted: Noted) -> None:
        """Read the file.

        Args:
            path: The web config file, None for plain HTTP without users.
            noted: Told of each change on disk whether it could be taken over, from the thread.

        Raises:
            InvalidWebConfig: With every fault.
        """
        self._noted = noted
        self._log = structlog.get_logger()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="web-config", daemon=True)
        self._has_told_of_http2 = False
        self._path: Path | None = None
        self._seen: _Signature = ()
        self._looks = 0
        self._faults: tuple[str, ...] = ()
        self._has_told = False
        self._current = WebConfig()
        self.reload(path)

    @property
    def current(self) -> WebConfig:
        """The configuration in force."""
        return self._current

    def reload(self, path: Path | None) -> None:
        """Read the file, perhaps another one than before.

        Raises:
            InvalidWebConfig: With every fault; the old configuration, and its file, stay in force.
        """
        seen, config = _load(path, self._current)
        with self._lock:
            self._path, self._seen = path, seen
            self._take(config)

    def start(self) -> None:
        """Begin to look at the files."""
        self._thread.start()

    def stop(self) -> None:
        """End that; a look under way, which may hang on a broken network file system, is not waited for."""
        self._stop.set()

    def look(self) -> None:
        """Look at the files once, and take over what has changed; the thread does so every second."""
        with self._lock:
            path, seen, present = self._path, self._seen, self._current
        if path is None:
            return
        if _signature(_paths(seen)) != seen:
            self._looks = _LOOKS_AT_A_CHANGE
        if self._looks:
            self._looks -= 1
            self._read(path, present)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
                self._log.error("web_config_not_looked_at", exc_info=error)

    def _read(self, path: Path, present: WebConfig) -> None:
        try:
            seen, config = _load(path, present)
        except InvalidWebConfig as error:
            with self._lock:
                if path == self._path:
                    self._seen = _signature(error.files)
                    self._tell(error.faults)
            return
        with self._lock:
            if path == self._path:
                self._seen = seen
                if config != self._current or self._has_told:
                    self._take(config)
                    self._log.info("web_config_loaded", file=str(path), **_summary(config))
                    self._noted(successfully=True)

    def _tell(self, faults: tuple[str, ...]) -> None:
        """Log faults that are there for the second time, once."""
        if faults != self._faults:
            self._faults, self._has_told = faults, False
        elif not self._has_told:
            self._has_told = True
            self._log.error("web_config_faulty", faults=faults, web_config="the old one stays in force")
            self._noted(successfully=False)

    def _take(self, config: WebConfig) -> None:
        self._current, self._faults, self._has_told = config, (), False
        if config.http2_wanted and not self._has_told_of_http2:
            self._has_told_of_http2 = True
            self._log.info("http2_not_served", served="HTTP/1.1")


def _load(path: Path | None, present: WebConfig) -> tuple[_Signature, WebConfig]:
    """Read a file, and say what it and all that it names looked like before that."""
    if path is None:
        return (), WebConfig()
    from exporter.web.config.loading import load  # noqa: PLC0415 - for those who have such a file

    before = {entry: _signature([entry]) for entry in (path, *present.files)}
    config = load(path, present)
    return tuple(part for entry in config.files for part in before.get(entry, ((entry, None),))), config


def _summary(config: WebConfig) -> dict[str, object]:
    return {"tls": config.security is not None, "users": sorted(config.users), "guarded": config.is_guarded}


def _paths(signature: _Signature) -> list[Path]:
    return [entry[0] for entry in signature if isinstance(entry, tuple)]


def _signature(files: Iterable[Path]) -> _Signature:
    """What shows that one of the files has changed, or has come, or has gone."""
    return tuple((file, _look(file)) for file in files)


def _look(file: Path) -> object:
    try:
        found = file.stat()
    except (OSError, ValueError) as error:
        return getattr(error, "errno", None)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
