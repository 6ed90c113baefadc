"""What Debian's Chromium takes beside its packages to run where nothing is installed."""

from pathlib import Path

from tests.programs import calls

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{root}/var/cache/fontconfig</cachedir></fontconfig>
"""


def write_call(unpacked: Path, root: Path) -> None:
    """Write `bin/chromium` into the unpacked files, which are called in `root`."""
    (unpacked / "fonts.conf").write_text(_FONTS.format(root=root), encoding="utf-8")
    environment = {
        "LD_LIBRARY_PATH": calls.library_folders(root, more=["pulseaudio"]),
        "FONTCONFIG_FILE": str(root / "fonts.conf"),
    }
    calls.write_call(unpacked / "bin/chromium", root / "usr/lib/chromium/chromium", environment)
