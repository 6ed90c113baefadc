"""What fail2ban itself makes of a configuration is the truth: a jail missed here is one that nobody gets to blame."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest
from hypothesis import given

from exporter.fail2ban.configuration import JailConfiguration, read
from tests import programs
from tests.fail2ban.test_configuration import configurations, write
from tests.fuzz import examples

# fail2ban's own reader, kept for many folders: starting its client for each takes a hundred times as long.
_ORACLE = """
import json, logging, sys
from fail2ban.client.jailsreader import JailsReader

logging.disable(logging.CRITICAL)
for line in sys.stdin:
    try:
        reader = JailsReader(basedir=json.loads(line), share_config={})
        if not reader.read():
            raise LookupError("read() said no")
        reader.getOptions()
        answer = {"enabled": [jail.getName() for jail in reader.jails]}
    except Exception as error:
        answer = {"refused": repr(error)}
    print(json.dumps(answer), flush=True)
"""

Oracle = Callable[[Path], set[str] | None]


@pytest.fixture(scope="module")
def oracles() -> Iterator[Callable[[str], Oracle]]:
    """By version: asks that fail2ban which jails a folder enables; None if it refuses the whole of it."""
    with ExitStack() as running:
        known: dict[str, Oracle] = {}

        def oracle(version: str) -> Oracle:
            if version not in known:
                process = running.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", _ORACLE],
                        env=programs.fail2ban(version).environment,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                running.callback(process.kill)
                assert process.stdin is not None
                assert process.stdout is not None
                known[version] = asking(process.stdin, process.stdout)
            return known[version]

        yield oracle


def asking(questions: IO[str], answers: IO[str]) -> Oracle:
    def ask(folder: Path) -> set[str] | None:
        questions.write(json.dumps(str(folder)) + "\n")
        questions.flush()
        answer = json.loads(answers.readline())
        return set(answer["enabled"]) if "enabled" in answer else None

    return ask


every_version = pytest.mark.parametrize("version", programs.FAIL2BAN_VERSIONS)

Files = Mapping[str, str | bytes]

ON = "enabled = true\n"

ODD: dict[str, Files] = {
    "enabled by default": {"jail.conf": f"[DEFAULT]\n{ON}[a]\n[b]\nenabled = 0\n[INCLUDES]\n"},
    "a default set last": {"jail.conf": "[a]\n[b]\nenabled=no", "jail.d/z.local": f"[DEFAULT]\n{ON}"},
    "a section in other letters": {"jail.conf": f"[DEFAULT]\n{ON}[default]\n[includes]\n[Sshd]\n[sshd]\nenabled = n\n"},
    "all four kinds of files": {
        "jail.conf": f"[a]\n{ON}[b]\n{ON}[c]\n{ON}[d]\n{ON}",
        "jail.d/1.conf": f"[a]\nenabled = 0\n[b]\nenabled = 0\n[c]\nenabled = 0\n[e]\n{ON}",
        "jail.local": f"[b]\n{ON}[c]\n{ON}",
        "jail.d/1.local": f"[c]\nenabled = 0\n[f]\n{ON}",
    },
    "only jail.local": {"jail.local": f"[a]\n{ON}"},
    "only jail.d": {"jail.d/x.local": f"[a]\n{ON}", "jail.d/.hidden.conf": f"[h]\n{ON}", "jail.d/x.CONF": f"[u]\n{ON}"},
    "order of names": {f"jail.d/{n}.conf": f"[a]\nenabled = {n}\n" for n in ("10", "9", "1", "é")},
    "all words": {
        "jail.conf": "".join(
            f"[{number}]\nenabled = {word}\n"
            for number, word in enumerate(
                ["true", "TRUE", "on", "yes", "y", "t", "1", "01", "2", "-1", "enabled", "''"]
            )
        )
    },
    "comments": {
        "jail.conf": "# c\n; c\n[a] ; c\nenabled = true ; c\n[b]\nenabled = true # c\n[c]\nenabled = true;c\n[d]\n"
        "enabled = ; true\n  # c\n  true\n[e]\n  # c\n; c\nenabled: true\n[f] # c\nEnAbLeD=true\n"
    },
    "lines that go on": {
        "jail.conf": "[a]\nenabled =\n  true\n"
        "[b]\nenabled = true\n  x\n[c]\nenabled = true\n\n\n[d]\nx = 1\n enabled = true\n"
        "[e]\n enabled = true\n x = 1\n[f]\n  x = 1\n enabled = true\n"
    },
    "line ends of other systems": {
        "jail.conf": b"[a]\r\nenabled = true\r\n[b]\renabled = true\r[c]\renabled = \x0btrue"
    },
    "odd names": {
        "jail.conf": f"[a b]\n{ON}[a]b]\n{ON}[ x ]\n{ON}[é]\n{ON}[KNOWN]\n{ON}[KNOWN/a]\n{ON}[Definition]\n{ON}"
    },
    "references": {
        "jail.conf": "[DEFAULT]\non = true\nup = %(on)s\n"
        "[a]\nenabled = %(up)s\n[b]\nenabled = %(on)s\non = false\n[c]\n"
        "enabled = tr%(mid)se\nmid = u\n[d]\nenabled = %(ON)s\n[true]\nenabled = %(__name__)s\n[e]\nenabled = %%(on)s\n"
    },
    "references to sections": {
        "jail.conf": f"[DEFAULT]\nx = true\n[a]\n{ON}y = 1\n[b]\nenabled = %(a/enabled)s\n[c]\nenabled = %(a/x)s\n[d]\n"
        "enabled = %(default/x)s\n[e]\nenabled = %(known/x)s\n[f]\nenabled = %(a/y)s\ny = 0\n",
    },
    "what was known": {
        "jail.conf": f"[a]\n{ON}[b]\n[c]\n{ON}x = 0\n",
        "jail.d/x.conf": "[a]\nenabled = false\n",
        "jail.local": f"[DEFAULT]\n{ON}[a]\nenabled = %(known/enabled)s\n[b]\nenabled = %(known/enabled)s\n",
        "jail.d/x.local": "[c]\nx = 1\nenabled = %(known/x)s\n",
    },
    "conditional sections": {
        "jail.conf": f"[a?family=inet6]\n{ON}[b]\n{ON}[b?family=inet6]\nenabled = no\n[c-d?x]\n{ON}[DEFAULT?x]\n{ON}"
    },
    "includes": {
        "jail.conf": f"[INCLUDES]\nbefore = x.conf\n  sub/y.conf\nafter = z.conf\n[a]\n{ON}[b]\n{ON}",
        "x.conf": f"[a]\nenabled = 0\n[x]\n{ON}",
        "x.local": f"[x]\nenabled = 0\n[xl]\n{ON}",
        "sub/y.conf": f"[INCLUDES]\nafter = ../w.conf\n  w.conf\n[y]\n{ON}",
        "sub/w.conf": f"[w]\n{ON}",
        "w.conf": f"[w]\nenabled = 0\n[v]\n{ON}",
        "z.conf": "[b]\nenabled = 0\n",
    },
    "includes that are not there": {"jail.conf": f"[INCLUDES]\nbefore =\n x.conf\nafter = /nowhere/y.conf\n[a]\n{ON}"},
    "includes by reference": {
        "jail.conf": "[DEFAULT]\nafter = %(name)s.conf\nname = x\n[INCLUDES]\n",
        "x.conf": f"[x]\n{ON}",
    },
    "includes that name a section only": {"jail.conf": f"[DEFAULT]\nafter = x.conf\n[a]\n{ON}", "x.conf": f"[x]\n{ON}"},
    "includes in a circle": {
        "jail.conf": f"[INCLUDES]\nbefore = x.conf\n  jail.conf\n[a]\nenabled = 0\n[b]\n{ON}",
        "x.conf": f"[INCLUDES]\nbefore = y.conf\n[a]\n{ON}[b]\nenabled = 0\n",
        "y.conf": f"[INCLUDES]\nafter = jail.conf\n  x.conf\n[b]\nenabled = 0\n[c]\n{ON}",
        "jail.local": "[INCLUDES]\nbefore = y.conf\n",
    },
    "an include read twice": {
        "jail.conf": "[INCLUDES]\nbefore = x.conf\nafter = x.conf\n[a]\nenabled = %(known/enabled)s\n",
        "x.conf": f"[a]\n{ON}",
    },
    "jails that it can't load": {
        "jail.conf": f"[a]\n{ON}filter = nowhere\n"
        f"[b]\n{ON}logpath = /nowhere\n[c]\n{ON}action = nowhere\n[d]\n{ON}filter = [\n"
    },
    "a default section twice": {"jail.conf": f"[DEFAULT]\nx = 1\n[a]\n[DEFAULT]\n{ON}"},
    "one that is empty": {"jail.conf": "", "jail.local": f"[a]\n{ON}"},
}


@every_version
@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in ODD.items()])
def test_an_odd_configuration_enables_what_fail2ban_says(
    tmp_path: Path, oracles: Callable[[str], Oracle], version: str, files: Files
) -> None:
    enabled = oracles(version)(Path(write(tmp_path, files)))

    assert enabled is not None, "it is no odd configuration, but a broken one"
    assert read(str(tmp_path)) == JailConfiguration(frozenset(enabled))


BROKEN: dict[str, Files] = {
    "no section": {"jail.local": ON},
    "a stray line": {"jail.local": f"[a]\n{ON}stray\n"},
    "an option without a name": {"jail.local": f"[a]\n{ON}= x\n"},
    "an option twice": {"jail.local": f"[a]\n{ON}{ON}"},
    "a section twice": {"jail.local": f"[a]\n{ON}[a]\n"},
    "a byte order mark": {"jail.local": f"\ufeff[a]\n{ON}"},
    "a percent sign": {"jail.local": "[a]\nenabled = 1%\n"},
    "a circle of references": {"jail.local": "[DEFAULT]\nenabled = %(known/enabled)s\n[a]\n"},
    "what was known of what was known": {
        "jail.d/x.conf": f"[a]\n{ON}",
        "jail.local": "[a]\nenabled = %(known/enabled)s\n",
        "jail.d/x.local": "[a]\nenabled = %(known/enabled)s\n",
    },
    "eleven references": {
        "jail.local": "[a]\nenabled = %(x0)s\n" + "".join(f"x{n} = %(x{n + 1})s\n" for n in range(10)) + "x10 = true\n"
    },
    "a reference to nothing": {"jail.local": "[a]\nenabled = %(nothing)s\n"},
    "a reference in capitals": {"jail.local": f"[DEFAULT]\n{ON}[a]\nenabled = %(DEFAULT/enabled)s\n"},
    "a reference to a jail in capitals": {"jail.local": f"[A]\n{ON}[a]\nenabled = %(A/enabled)s\n"},
    "a reference to a jail with a dot": {"jail.local": f"[a.b]\n{ON}[a]\nenabled = %(a.b/enabled)s\n"},
    "an include of nothing": {"jail.local": "[INCLUDES]\nbefore = %(nothing)s\n"},
    "an include of no name": {"jail.local": "[INCLUDES]\nbefore = a\0b\n"},
    "includes ever deeper": {
        "jail.local": "[INCLUDES]\nbefore = d/x.conf\n",
        "d/x.conf": "[INCLUDES]\nbefore = ../d/x.conf\n",
    },
    "includes in a circle by a .local": {
        "jail.local": "[INCLUDES]\nbefore = x.conf\n",
        "x.conf": f"[x]\n{ON}",
        "x.local": "[INCLUDES]\nbefore = x.conf\n",
    },
}


@every_version
@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in BROKEN.items()])
def test_a_configuration_that_fail2ban_refuses_is_a_fault_and_the_good_file_counts(
    tmp_path: Path, oracles: Callable[[str], Oracle], version: str, files: Files
) -> None:
    assert oracles(version)(Path(write(tmp_path, {"jail.conf": f"[good]\n{ON}"} | dict(files)))) is None

    found = read(str(tmp_path))

    assert len(found.faults) == 1
    assert "good" in found.enabled


@every_version
def test_a_jail_in_a_file_that_fail2ban_leaves_out_counts_as_it_is_meant_to_run(
    tmp_path: Path, oracles: Callable[[str], Oracle], version: str
) -> None:
    write(tmp_path, {"jail.conf": f"[a]\n{ON}", "jail.d/x.conf": f"# caf\xe9\n[x]\n{ON}".encode("latin-1")})
    found = read(str(tmp_path))

    assert oracles(version)(tmp_path) == (None if version == "1.1.1" else {"a"})
    assert found.enabled == {"a", "x"}
    assert [fault.path for fault in found.faults] == [str(tmp_path / "jail.d/x.conf")]


@every_version
@examples(100)
@given(files=configurations)
def test_any_configuration_enables_what_fail2ban_says(
    oracles: Callable[[str], Oracle], version: str, files: dict[str, str]
) -> None:
    with TemporaryDirectory() as folder:
        enabled = oracles(version)(Path(write(Path(folder), files)))
        found = read(folder)

    if enabled is None:
        assert found.faults
    else:
        assert found == JailConfiguration(frozenset(enabled))


@every_version
def test_the_configuration_that_debian_ships_enables_what_the_client_itself_says(
    tmp_path: Path, oracles: Callable[[str], Oracle], version: str
) -> None:
    install = programs.fail2ban(version)
    stock = install.root / "etc/fail2ban"
    dump = subprocess.run(
        [*install.client, "-c", str(stock), "-d"],
        cwd=tmp_path,
        env=install.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    expected = set(re.findall(r"^\['add', '([^']+)'", dump.stdout, re.MULTILINE))
    assert expected, dump.stderr
    assert oracles(version)(stock) == expected
    assert read(str(stock)) == JailConfiguration(frozenset(expected))
