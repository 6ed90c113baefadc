"""The commands that the README tells people to run: the tests run these very words."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Root needs none, and a small Debian has none.
_SUDO = 'sudo() { env "$@"; }\n'


def socket_drop_in() -> str:
    """What deploy/systemd/README.md says to put into a drop-in of the socket unit for another address."""
    text = (ROOT / "deploy/systemd/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```ini\n(\[Socket\].*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


def firewall_drop_in() -> str:
    """The commands of deploy/systemd/README.md that put the drop-in for the firewall's check in place."""
    text = (ROOT / "deploy/systemd/README.md").read_text(encoding="utf-8")
    (block,) = (
        found for found in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "drop-ins/" in found
    )
    return _SUDO + str(block)


def geoip_extra() -> str:
    """The README's command that installs the exporter with the library of databases."""
    install, _ = commands("[geoip]", section="Where do the attackers come from?").rsplit("\n", 1)
    return install


def geoip_settings() -> str:
    """The commands of deploy/systemd/README.md that have the service count by country."""
    text = (ROOT / "deploy/systemd/README.md").read_text(encoding="utf-8")
    (block,) = (
        found for found in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "GEOIP__" in found
    )
    return _SUDO + str(block)


def commands(containing: str, readme: str = "README.md", section: str = "Install") -> str:
    """The one shell block of a README's section that contains a text, to be run by root.

    A command that stays in the foreground is left out, and so are comments.
    """
    text = (ROOT / readme).read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = (
        found for found in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if containing in found
    )
    lines = [line.partition(" #")[0].rstrip() for line in block.splitlines()]
    return _SUDO + "\n".join(line for line in lines if line != "sudo fail2ban-exporter")
