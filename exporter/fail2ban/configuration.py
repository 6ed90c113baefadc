"""Which jails fail2ban's configuration enables: `jail.conf`, `jail.d/*.conf`, `jail.local`, `jail.d/*.local`.

What is on disk may be half-written, broken, or not for the exporter to read. Whatever is wrong with one file is told,
and the others count. Nothing here waits for anything but a disk: only regular files are opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from exporter.fail2ban.config_parser import INCLUDES, ConfigFile, InterpolationError, Settings, parse
from exporter.whole_file import read_up_to

MAX_FILE_BYTES: Final = 1024 * 1024
"""Of one file. Debian's `jail.conf` has 25 KB."""
MAX_TOTAL_BYTES: Final = 2 * 1024 * 1024
"""Of all files, one that is included more than once counted each time: this bounds the time of a reading."""
MAX_FILES: Final = 500
"""That are looked for, or that one file brings in; of Debian's, 8 and 3."""
MAX_INCLUDE_DEPTH: Final = 50
"""fail2ban itself dies of too deep a recursion, at some hundreds."""

_MAX_PATH: Final = 4096
_DEV_NULL: Final = os.makedev(1, 3)
"""On Linux. A link to it is the customary way to turn a file off."""

_Mark = tuple[int, ...]  # what changes when a file does, or the one number of the error


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the configuration that could not be read or is not as fail2ban wants it.

    Attributes:
        path: The file or folder.
        reason: A few words, without any value from the file.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class JailConfiguration:
    """One reading of the configuration.

    Attributes:
        enabled: The jails that it enables, whether or not fail2ban can load them.
        faults: One for each file or folder with any, in the order met.
    """

    enabled: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()


def read(folder: str) -> JailConfiguration:
    """Read the configuration in a folder such as `/etc/fail2ban`; an empty name enables nothing."""
    return _Reading(folder).run() if folder else JailConfiguration()


class ConfigurationWatch:
    """The configuration in a folder, read again when something changed. For one thread.

    A file's marks are taken before it is read, so what is written meanwhile is a change. A write so soon after a
    reading that the file's times stay the same (they tick every 4 ms or so) would not be: after each change it is
    read once more at the next poll.
    """

    def __init__(self, folder: str) -> None:
        """Watch a folder; an empty name turns this off."""
        self._folder = folder
        self._seen = _Seen()
        self._latest = JailConfiguration()
        self._is_settled = not folder

    def poll(self) -> JailConfiguration | None:
        """Return a new reading if any file changed since the last one, or none was made yet; else None.

        A file that changed need not have changed what is enabled. For every second: without a change it takes a stat
        for each file, some 20 microseconds for Debian's configuration.
        """
        if self._is_settled and self._seen.is_current():
            return None
        before = self._seen, self._latest
        latest = self.read()
        self._is_settled = self._seen == before[0]
        return None if before == (self._seen, latest) else latest

    def read(self) -> JailConfiguration:
        """Return a new reading in any case: some 3 ms for Debian's configuration."""
        if self._folder:
            reading = _Reading(self._folder)
            self._latest = reading.run()
            self._seen = reading.seen
            self._is_settled = False
        return self._latest


@dataclass(slots=True)
class _Seen:
    """All that a reading looked at, there or not, and how it was then."""

    marks: dict[str, _Mark] = field(default_factory=dict)
    listing: tuple[str, tuple[str, ...] | int] | None = None
    """The folder `jail.d`, and the names in it or the number of the error."""

    def is_current(self) -> bool:
        if self.listing is not None and _names(self.listing[0]) != self.listing[1]:
            return False
        return all(_mark(path) == mark for path, mark in self.marks.items())


class _Reading:
    """One reading, and what came up in it."""

    def __init__(self, folder: str) -> None:
        self.seen = _Seen()
        self._folder = folder
        self._faults: dict[str, str] = {}
        self._parsed: dict[str, ConfigFile | None] = {}
        self._expanded: dict[str, list[str]] = {}
        self._bytes_left = MAX_TOTAL_BYTES

    def run(self) -> JailConfiguration:
        paths = [path for main in self._main_files() for path in self._with_includes(main, ())]
        if not paths and not self._faults:
            self._fault(self._folder, "no jail.conf, jail.local or jail.d in it")
        enabled = frozenset(self._enabled(paths))
        return JailConfiguration(enabled, tuple(Fault(*fault) for fault in self._faults.items()))

    def _enabled(self, paths: list[str]) -> Iterator[str]:
        settings = Settings()
        merged = set()
        origins = {"": self._folder}
        for path in paths:
            file = self._parsed[path]
            if file is None or (path in merged and not self._affords(path, file.size)):
                continue
            merged.add(path)
            settings.merge(file)
            origins |= {name: path for name, options in file.sections.items() if "enabled" in options}
            origins |= {"": path} if "enabled" in file.defaults else {}
        for jail in settings.jails():
            try:
                if settings.is_enabled(jail):
                    yield jail
            except InterpolationError as error:
                self._fault(origins.get(jail, origins[""]), f"enabled: {error}")

    def _fault(self, path: str, reason: str) -> None:
        self._faults.setdefault(path, reason)

    def _main_files(self) -> list[str]:
        """Return the files that fail2ban starts from, in its order. Names with a dot in front are none."""
        folder = self._folder + "/"
        mark = _mark(folder)
        if len(mark) == 1:
            # Marked only while it can't be reached: its times change for every file that an editor puts there.
            self.seen.marks[folder] = mark
            self._fault(self._folder, os.strerror(mark[0]))
            return []
        overlays = os.path.join(self._folder, "jail.d")  # noqa: PTH118 - strings, as fail2ban's own
        names = _names(overlays)
        self.seen.listing = overlays, names
        if isinstance(names, int):
            if names != errno.ENOENT:
                self._fault(overlays, os.strerror(names))
            names = ()
        return [
            os.path.join(self._folder, name)  # noqa: PTH118
            for end in (".conf", ".local")
            for name in (f"jail{end}", *(f"jail.d/{name}" for name in names if name.endswith(end)))
        ]

    def _with_includes(self, path: str, including: tuple[str, ...]) -> list[str]:
        """Return a file between the files that it includes; nothing if it can't be read.

        A file of those that include it, the nearest aside, is left out, as fail2ban does: it is no fault.
        """
        file = self._file(path)
        if file is None:
            return []
        settings = Settings(file.defaults, file.sections)
        before, after = (
            list(islice(self._brought_in(path, settings, option, including), MAX_FILES))
            for option in ("before", "after")
        )
        if len(before) + len(after) >= MAX_FILES:
            self._fault(path, f"its includes bring in {MAX_FILES} files or more: none is taken")
            return [path]
        return [*before, path, *after]

    def _brought_in(self, path: str, settings: Settings, option: str, including: tuple[str, ...]) -> Iterator[str]:
        for included in self._included(path, settings, option):
            if included not in including:
                yield from self._overlaid(included, (*including, path))

    def _included(self, path: str, settings: Settings, option: str) -> list[str]:
        """Return the paths that a file names in `before` or `after` of its section `[INCLUDES]`, one a line."""
        try:
            lines = (settings.value(INCLUDES, option) or "").split("\n")
        except InterpolationError as error:
            self._fault(path, f"{option}: {error}")
            return []
        folder = os.path.dirname(path)  # noqa: PTH120
        paths = [os.path.join(folder, line) for line in lines if line]  # noqa: PTH118
        if any(len(included) > _MAX_PATH or "\0" in included for included in paths):
            self._fault(path, f"{option}: a name that no file can have")
            return []
        return paths

    def _overlaid(self, path: str, including: tuple[str, ...]) -> list[str]:
        """Return an included file with its `.local` beside it and all that these include.

        Kept from the first time that a path comes up, whatever included it then, as fail2ban does.
        """
        if len(including) > MAX_INCLUDE_DEPTH:
            self._fault(including[0], f"its includes are more than {MAX_INCLUDE_DEPTH} deep")
            return []
        if path not in self._expanded:
            local = os.path.splitext(path)[0] + ".local"  # noqa: PTH122
            files = [path] if local == path else [path, local]
            self._expanded[path] = [found for file in files for found in self._with_includes(file, including)]
        return self._expanded[path]

    def _file(self, path: str) -> ConfigFile | None:
        """Return a file, read and parsed once; None if it isn't there or can't be read."""
        if path not in self._parsed:
            if len(self._parsed) >= MAX_FILES:
                self._fault(self._folder, f"more than {MAX_FILES} files")
                return None
            self.seen.marks[path] = _mark(path)
            self._parsed[path] = self._parse(path)
        return self._parsed[path]

    def _parse(self, path: str) -> ConfigFile | None:
        try:
            content = _content(path)
        except FileNotFoundError:
            # A link to nowhere is nothing to fail2ban too, and Debian's own includes name a file that isn't there.
            return None
        except (OSError, ValueError) as error:
            self._fault(path, getattr(error, "strerror", None) or "it can't be read")
            return None
        if not self._affords(path, len(content)):
            return None
        file = parse(content)
        if file.fault:
            self._fault(path, file.fault)
        return file

    def _affords(self, path: str, size: int) -> bool:
        if size > self._bytes_left:
            self._fault(path, f"all files together are too large: more than {MAX_TOTAL_BYTES} bytes")
            return False
        self._bytes_left -= size
        return True


def _mark(path: str) -> _Mark:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time that a Path takes
    except (OSError, ValueError) as error:
        return (getattr(error, "errno", None) or errno.EINVAL,)
    return found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _names(folder: str) -> tuple[str, ...] | int:
    """Return the names of configuration files in a folder, sorted as fail2ban does, or the number of the error."""
    try:
        found = os.listdir(folder)  # noqa: PTH208 - as above
    except OSError as error:
        return error.errno or errno.EIO
    return tuple(sorted(name for name in found if name.endswith((".conf", ".local")) and not name.startswith(".")))


def _content(path: str) -> bytes:
    """Read a regular file.

    Raises:
        OSError: It can't be read, is no regular file, or is too large.
    """
    found = os.stat(path)  # noqa: PTH116
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == _DEV_NULL:
        return b""
    if stat.S_ISREG(found.st_mode):
        # Something else may be there by now: opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                content = read_up_to(file, MAX_FILE_BYTES)
                if content is None:
                    raise OSError(errno.EFBIG, f"it has more than {MAX_FILE_BYTES} bytes")
                return content
    raise OSError(errno.EINVAL, "it is no regular file")
