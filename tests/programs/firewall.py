"""What the firewall's own tools, `nft`, `iptables` and `ipset`, take beside their packages to run uninstalled."""

from pathlib import Path

from tests.programs import calls
from tests.programs.sources import UnavailableError

# Each is one program under several names, and goes by the name that it is called by.
TOOLS = {
    "nft": "nft",
    "ipset": "ipset",
    **{f"{tables}{suffix}": "xtables-nft-multi" for tables in ("iptables", "ip6tables") for suffix in ("", "-save")},
    **{
        f"{tables}-legacy{suffix}": "xtables-legacy-multi"
        for tables in ("iptables", "ip6tables")
        for suffix in ("", "-save")
    },
}


def write_calls(unpacked: Path, root: Path) -> None:
    """Write a script for each tool into `bin` of the unpacked files, which are called in `root`.

    Raises:
        UnavailableError: The packages lack a tool.
    """
    extensions = _first(unpacked, *(f"{part}/{calls.machine_folder()}/xtables" for part in ("usr/lib", "lib")))
    environment = {"LD_LIBRARY_PATH": calls.library_folders(root), "XTABLES_LIBDIR": str(root / extensions)}
    for name, program in TOOLS.items():
        path = _first(unpacked, f"usr/sbin/{program}", f"sbin/{program}")
        calls.write_call(unpacked / "bin" / name, root / path, environment)


def _first(unpacked: Path, *paths: str) -> str:
    found = next((path for path in paths if (unpacked / path).exists()), None)
    if found is None:
        raise UnavailableError(f"Debian's packages have no {paths[0]}")
    return found
