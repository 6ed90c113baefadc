"""Which programs the tests run, and which Debian package and suite each comes from.

A later test that wants another program adds a line to `CATALOGUE` and, if tests should call it by a name of its own, a
function to `tests.programs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.programs import browser, firewall


@dataclass(frozen=True)
class Program:
    """A program unpacked from a Debian package, as it is, without installing the package.

    Attributes:
        name: What tests ask for; also the folder it is unpacked to.
        package: The Debian package.
        version: The start of the package's upstream version that will do; empty for any.
        suites: Debian suites to look in, best first. Each version comes from a suite of its own whatever Debian the
            machine runs, so the same four servers are tested everywhere. None for the machine's own suite.
        proof: Paths inside the package without which it is no use.
        libraries: Packages of the same suite that are unpacked into the same folder: what the program is linked with,
            the C library too, where the machine may have none of it or another version. `loaded` in `tests.programs`
            runs a program so.
        whole: Whether all that the package and its libraries depend on is unpacked with them, but for what is the
            system's own and not named among the libraries.
        finish: Adds to the unpacked files, in the first folder, what it takes to call them in the second.
        trials: Commands, by their paths in the folder, that must run: a library that is missing is told where the
            program is fetched then, and not by a test that times out.
        installed: The name by which the machine's own program will do as well; empty where it won't.
    """

    name: str
    package: str
    version: str = ""
    suites: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    whole: bool = False
    finish: Callable[[Path, Path], None] | None = None
    trials: tuple[tuple[str, ...], ...] = ()
    installed: str = ""


FAIL2BAN_SUITES = {
    "0.11.2": ("bullseye",),
    "1.0.2": ("bookworm",),
    "1.1.0": ("trixie",),
    # forky is the suite that gets what sid had
    "1.1.1": ("sid", "forky"),
}
FAIL2BAN_VERSIONS = tuple(FAIL2BAN_SUITES)

SYSTEMD_SUITES = {"252": "bookworm", "257": "trixie"}
SYSTEMD_VERSIONS = tuple(SYSTEMD_SUITES)
_LINKED_WITH_SYSTEMD = {
    "252": (
        *("libsystemd-shared", "libacl1", "libapparmor1", "libaudit1", "libblkid1", "libc6", "libcap-ng0", "libcap2"),
        *("libcrypt1", "libgcrypt20", "libgpg-error0", "libip4tc2", "libkmod2", "liblz4-1", "liblzma5", "libmount1"),
        *("libpam0g", "libpcre2-8-0", "libseccomp2", "libselinux1", "libssl3", "libzstd1"),
    ),
    "257": (
        *("libsystemd-shared", "libacl1", "libapparmor1", "libaudit1", "libblkid1", "libc6", "libcap-ng0", "libcap2"),
        *("libcrypt1", "libmount1", "libpam0g", "libpcre2-8-0", "libseccomp2", "libselinux1", "libssl3t64"),
        *("zlib1g", "libzstd1"),
    ),
}

CATALOGUE: dict[str, Program] = {
    program.name: program
    for program in (
        *(
            Program(
                name=f"fail2ban-{version}",
                package="fail2ban",
                version=version,
                suites=suites,
                proof=(
                    "usr/bin/fail2ban-server",
                    "usr/bin/fail2ban-client",
                    "usr/lib/python3/dist-packages/fail2ban/server/server.py",
                ),
            )
            for version, suites in FAIL2BAN_SUITES.items()
        ),
        Program(
            name="pyinotify",
            package="python3-pyinotify",
            version="0.9.6",
            suites=("bookworm", "trixie"),
            proof=("usr/lib/python3/dist-packages/pyinotify.py",),
        ),
        Program(
            name="promtool",
            package="promtool",
            version="2.53",
            suites=("trixie",),
            proof=("usr/bin/promtool",),
        ),
        Program(
            name="prometheus-2.42",
            package="prometheus",
            version="2.42",
            suites=("bookworm",),
            proof=("usr/bin/prometheus", "usr/bin/promtool"),
        ),
        Program(
            name="node-exporter",
            package="prometheus-node-exporter",
            version="1.5",
            suites=("bookworm",),
            proof=("usr/bin/prometheus-node-exporter",),
        ),
        Program(
            name="alertmanager",
            package="prometheus-alertmanager",
            version="0.25",
            suites=("bookworm",),
            proof=("usr/bin/prometheus-alertmanager", "usr/bin/amtool"),
        ),
        Program(
            name="prometheus-3.5",
            package="prometheus",
            version="3.5",
            suites=("sid", "forky"),
            proof=("usr/bin/prometheus",),
        ),
        Program(
            name="alertmanager-0.33",
            package="prometheus-alertmanager",
            version="0.33",
            suites=("sid", "forky"),
            proof=("usr/bin/prometheus-alertmanager",),
        ),
        # Its libraries are those that Python's ssl has too.
        Program(
            name="openssl",
            package="openssl",
            version="3.0",
            suites=("bookworm",),
            proof=("usr/bin/openssl",),
        ),
        *(
            Program(
                name=f"systemd-{version}",
                package="systemd",
                version=version,
                suites=(suite,),
                proof=("usr/bin/systemd-analyze",),
                libraries=_LINKED_WITH_SYSTEMD[version],
            )
            for version, suite in SYSTEMD_SUITES.items()
        ),
        Program(
            name="wrk",
            package="wrk",
            version="4.1",
            suites=("bookworm",),
            proof=("usr/bin/wrk",),
            libraries=("libc6", "libgcc-s1", "libluajit-5.1-2", "libssl3"),
        ),
        # of the oldest suite that runs beside the others: its C library is then never newer than the machine's
        Program(
            name="libfaketime",
            package="libfaketime",
            version="0.9.10",
            suites=("bookworm", "trixie"),
            proof=("usr/lib",),
        ),
        Program(
            name="chromium",
            package="chromium",
            proof=("bin/chromium",),
            whole=True,
            finish=browser.write_call,
            trials=(("bin/chromium", "--version"),),
            installed="chromium",
        ),
        Program(
            name="firewall-tools",
            package="nftables",
            libraries=("iptables", "ipset"),
            proof=tuple(f"bin/{tool}" for tool in firewall.TOOLS),
            whole=True,
            finish=firewall.write_calls,
            trials=tuple((f"bin/{tool}", "--version") for tool in firewall.TOOLS),
        ),
    )
}
