"""The machine's own Debian source, from which those of other suites are derived.

No address is written down in this project: where the machine gets its packages from, there the tests get theirs.
"""

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class UnavailableError(Exception):
    """A program could not be had; the message says which and why."""


@dataclass(frozen=True)
class Source:
    """Where packages come from, and the key that vouches for them.

    Attributes:
        uri: The archive.
        suites: The suites that the machine takes from it.
        components: Such as `main`.
        signed_by: A keyring's path or an embedded key as the machine's own entry has it; None for apt's trusted keys.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None

    def deb822(self, suite: str) -> str:
        """The same source for another suite, as an entry of a `.sources` file, with nothing but its package lists."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main", "Targets: Packages"]
        if self.signed_by is not None:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def debian_source(apt_folder: Path = Path("/etc/apt"), os_release: dict[str, str] | None = None) -> Source:
    """The source that this machine's Debian itself comes from.

    Args:
        apt_folder: Where apt's sources are.
        os_release: What the machine says it is; asked of the machine when None.

    Raises:
        UnavailableError: The machine isn't Debian, or no source of its own release was found.
    """
    if os_release is None:
        os_release = _os_release()
    if os_release.get("ID") != "debian":
        system = os_release.get("PRETTY_NAME") or os_release.get("ID") or platform.system()
        raise UnavailableError(f"this machine runs {system}, not Debian")
    releases = {os_release.get("VERSION_CODENAME", "sid"), "stable", "oldstable", "testing", "unstable", "sid"}
    for source in all_sources(apt_folder):
        if "main" in source.components and releases.intersection(source.suites):
            return source
    raise UnavailableError(f"no source of Debian's main archive for this machine's release in {apt_folder}")


def all_sources(apt_folder: Path) -> Iterator[Source]:
    """Every enabled binary source of the machine, in deb822 and in one-line format."""
    parts = apt_folder / "sources.list.d"
    for path in sorted(parts.glob("*.sources")):
        for stanza in re.split(r"\n(?:[ \t]*\n)+", path.read_text(encoding="utf-8")):
            yield from _from_stanza(stanza)
    for path in [apt_folder / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                yield from _from_line(line)


def _from_stanza(stanza: str) -> Iterator[Source]:
    fields: dict[str, str] = {}
    last = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in {" ", "\t"} and last:
            fields[last] += "\n" + line
        elif ":" in line:
            key, value = line.split(":", 1)
            last = key.strip().lower()
            fields[last] = value.strip()
    enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "without", "off", "disable", "0"}
    if enabled and "deb" in fields.get("types", "").split():
        for uri in fields.get("uris", "").split():
            yield Source(
                uri=uri,
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by"),
            )


def _from_line(line: str) -> Iterator[Source]:
    entry = re.match(r"\s*deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*)", line)
    if entry:
        signed_by = re.search(r"(?:^|\s)signed-by=(\S+)", entry["options"] or "", re.IGNORECASE)
        yield Source(
            uri=entry["uri"],
            suites=(entry["suite"],),
            components=tuple(entry["rest"].split()),
            # several keyrings: commas there, spaces in deb822
            signed_by=signed_by[1].replace(",", " ") if signed_by else None,
        )


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
