"""A file system on which every look hangs, as one does on a network that is gone."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INJECTED = """
import os, threading
_stat = os.stat
def stat(path, *arguments, **others):
    if os.path.exists({switch!r}) and str(path).startswith({folder!r}):
        threading.Event().wait()
    return _stat(path, *arguments, **others)
os.stat = stat
"""


class Hanging:
    """A folder that hangs while told to; `environment` is for the Python program that is to see that."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._switch = scratch / "hangs"
        shim = scratch / "shim"
        shim.mkdir()
        injected = _INJECTED.format(switch=str(self._switch), folder=str(folder))
        (shim / "sitecustomize.py").write_text(injected, encoding="utf-8")
        self._is_real = os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)
        self.environment = {} if self._is_real else {"PYTHONPATH": str(shim)}

    @contextmanager
    def hangs(self) -> Iterator[None]:
        """Hang until the end of the block, then answer again.

        It is a FUSE file system that nobody serves, where it may be mounted; else the program's own calls hang.
        """
        device = self._mounted() if self._is_real else None
        if device is None:
            self._switch.touch()
        try:
            yield
        finally:
            if device is None:
                self._switch.unlink()
            else:
                os.close(device)
                subprocess.run(["umount", "--lazy", str(self._folder)], check=True)

    def _mounted(self) -> int:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        words = ["mount", "-i", "-t", "fuse", "-o", options, "none", str(self._folder)]
        try:
            subprocess.run(words, check=True, pass_fds=[device])
        except BaseException:
            os.close(device)
            raise
        return device
