"""A jail that the configuration enables and that does not run is what the exporter must name.

`tests/integration/test_configuration.py` compares the same reading with real fail2ban; here is what it makes of files
that fail2ban refuses, and when it reads them again.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.fail2ban.configuration import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_INCLUDE_DEPTH,
    ConfigurationWatch,
    Fault,
    JailConfiguration,
    read,
)

Files = Mapping[str, str | bytes]

SSHD = "[sshd]\nenabled = true\n"


def write(folder: Path, files: Files) -> str:
    """Write files under a folder; return it as `read` takes it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


def faults(folder: Path, found: JailConfiguration) -> dict[str, str]:
    """Reasons by path inside the folder."""
    return {os.path.relpath(fault.path, folder): fault.reason for fault in found.faults}


@contextmanager
def seconds(limit: float) -> Iterator[None]:
    """What takes more of the processor fails, however busy the machine: it would keep the prober from its probes."""
    begun = time.thread_time()
    yield
    assert time.thread_time() - begun < limit


# -- what is enabled


@pytest.mark.parametrize(
    ("files", "enabled"),
    [
        pytest.param({"jail.conf": SSHD}, {"sshd"}, id="a jail of its own"),
        pytest.param({"jail.local": SSHD}, {"sshd"}, id="no jail.conf at all"),
        pytest.param({"jail.conf": "[DEFAULT]\nenabled = yes\n[a]\n[b]\nenabled = no\n"}, {"a"}, id="by default"),
        pytest.param(
            {"jail.conf": "[a]\n[b]\n[INCLUDES]\n[KNOWN/a]\nenabled = true\n"}, set(), id="disabled unless said"
        ),
        pytest.param(
            {"jail.conf": "[DEFAULT]\nenabled=true\n[INCLUDES]\nafter =\n[KNOWN/a]\n[Definition]\n"},
            {"Definition"},
            id="sections that are no jails",
        ),
        pytest.param(
            {"jail.conf": SSHD, "jail.d/x.conf": "[sshd]\nenabled = false\n"}, set(), id="jail.d over jail.conf"
        ),
        pytest.param(
            {"jail.local": "[sshd]\nenabled = false\n", "jail.d/x.conf": SSHD},
            set(),
            id="jail.local over jail.d/*.conf",
        ),
        pytest.param(
            {"jail.local": "[sshd]\nenabled = false\n", "jail.d/x.local": SSHD}, {"sshd"}, id="jail.d/*.local over all"
        ),
        pytest.param({"jail.d/9.conf": SSHD, "jail.d/10.conf": "[sshd]\nenabled = no\n"}, {"sshd"}, id="in text order"),
        pytest.param({"jail.d/x.conf.bak": SSHD, "jail.d/.x.conf": SSHD, "jail.conf": ""}, set(), id="other names"),
        pytest.param(
            {"jail.conf": "[INCLUDES]\nbefore = a.conf\nafter = b.conf\n", "a.conf": "[a]\n[b]\n", "b.conf": SSHD},
            {"sshd"},
            id="by an include",
        ),
        pytest.param(
            {
                "jail.conf": "[INCLUDES]\nbefore = d/a.conf\n",
                "d/a.conf": "[INCLUDES]\nafter = b.conf\n",
                "d/b.conf": SSHD,
            },
            {"sshd"},
            id="relative to the file that includes",
        ),
        pytest.param(
            {
                "jail.conf": f"[INCLUDES]\nbefore = a.conf\n{SSHD}",
                "a.local": "[sshd]\nenabled = false\n[b]\nenabled = 1\n",
            },
            {"sshd", "b"},
            id="the .local beside an include",
        ),
        pytest.param(
            {"jail.conf": "[DEFAULT]\non = true\n[a]\nenabled = %(on)s\n[b]\nenabled = %(a/enabled)s\n"},
            {"a", "b"},
            id="by references",
        ),
        pytest.param(
            {"jail.conf": SSHD, "jail.local": "[sshd]\nenabled = %(known/enabled)s\n"}, {"sshd"}, id="as it was before"
        ),
        pytest.param({"jail.conf": "[yes]\nenabled = %(__name__)s\n"}, {"yes"}, id="by its own name"),
    ],
)
def test_the_jails_that_the_configuration_enables_are_known(tmp_path: Path, files: Files, enabled: set[str]) -> None:
    assert read(write(tmp_path, files)) == JailConfiguration(frozenset(enabled))


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        *((value, True) for value in ("true", "yes", "on", "1", "TRUE", "On", "  true  ", "true ; why", "%(w)s")),
        *(
            (value, False)
            for value in ("false", "", "0", "2", "y", "enabled", "true # why", "true;why", "'true'", "%%", "\n true")
        ),
    ],
)
def test_words_are_true_as_fail2ban_reads_them(tmp_path: Path, value: str, enabled: bool) -> None:  # noqa: FBT001
    folder = write(tmp_path, {"jail.conf": f"[DEFAULT]\nw = true\n[a]\nenabled = {value}\n"})

    assert read(folder) == JailConfiguration(frozenset({"a"} if enabled else ()))


def test_a_jail_that_fail2ban_cannot_load_counts_since_it_is_the_one_to_blame(tmp_path: Path) -> None:
    jail = "[a]\nenabled = true\nfilter = nowhere\nlogpath = /nowhere\naction = %(nowhere)s\n"

    assert read(write(tmp_path, {"jail.conf": jail})).enabled == {"a"}


# -- what is wrong with one file, and that the others count


@pytest.mark.parametrize(
    ("content", "enabled", "reason"),
    [
        pytest.param("enabled = true\n[a]\nenabled = 1\n", {"a"}, "line 1 comes before any section", id="no section"),
        pytest.param("\ufeff[a]\nenabled = 1\n", {"a"}, "it starts with a byte order mark", id="Windows editor"),
        pytest.param(b"[a]\n# \xe4\nenabled = 1\n", {"a"}, "line 2 is not UTF-8", id="Latin-1"),
        pytest.param("[a]\nenabled = 1\noops\n[b]\nenabled = 1", {"a", "b"}, "line 3 is neither", id="a stray line"),
        pytest.param("[a]\n= x\nenabled = 1\n", {"a"}, "line 2 is neither", id="an option without a name"),
        pytest.param("[a]\nenabled = 0\nenabled = 1\n", {"a"}, "line 3 repeats an option", id="an option twice"),
        pytest.param("[a]\n[b]\nenabled = 1\n[a]\n", {"b"}, "line 4 repeats a section", id="a section twice"),
        pytest.param("[a\nenabled = 1\n", set(), "line 1 comes before any section", id="an open bracket"),
        pytest.param("[a ;]\nenabled = 1\n", set(), "line 1 comes before any section", id="a comment in a section"),
        pytest.param(bytes(range(256)), set(), "line 2 is not UTF-8", id="no text"),
        pytest.param(
            "[a]\nenabled = %(b)s\n", set(), "enabled: it refers to 'b', which is nowhere", id="no such option"
        ),
        pytest.param("[a]\nenabled = %(default/X)s\n[DEFAULT]\nX=1", set(), "enabled: it refers to", id="capitals"),
        pytest.param("[a]\nenabled = 100%\n", set(), "enabled: it has a % that is neither", id="a stray percent sign"),
        pytest.param("[a]\nenabled = %(b)s\nb = %(enabled)s", set(), "enabled: its references go round", id="a circle"),
        pytest.param(
            "[INCLUDES]\nbefore = %(x)s\n[a]\nenabled=1", {"a"}, "before: it refers to 'x'", id="include what"
        ),
        pytest.param(
            "[INCLUDES]\nafter = a\0b\n[a]\nenabled = 1", {"a"}, "after: a name that no file", id="a null byte"
        ),
        pytest.param(b"[a]\nenabled = 1\n" + b"#" * MAX_FILE_BYTES, set(), "it has more than 1048576", id="too large"),
    ],
)
def test_what_is_wrong_with_one_file_is_told_and_the_rest_counts(
    tmp_path: Path, content: str | bytes, enabled: set[str], reason: str
) -> None:
    found = read(write(tmp_path, {"jail.conf": SSHD, "jail.d/x.conf": content}))

    assert enabled | {"sshd"} == found.enabled
    assert list(faults(tmp_path, found)) == ["jail.d/x.conf"]
    assert found.faults[0].reason.startswith(reason)


def test_faults_never_hold_a_value_of_the_file(tmp_path: Path) -> None:
    text = "[a]\nhunter2\npassword = hunter2\npassword = hunter2\nenabled = %(hunter2"

    assert "hunter2" not in repr(read(write(tmp_path, {"jail.conf": text})))


def test_a_fault_of_a_value_names_the_file_that_sets_it(tmp_path: Path) -> None:
    broken = "[DEFAULT]\nenabled = %(nowhere)s\n"
    found = read(write(tmp_path, {"jail.conf": "[a]\n", "jail.d/x.conf": broken, "jail.local": "[a]\nx\n=\n"}))

    assert set(faults(tmp_path, found)) == {"jail.d/x.conf", "jail.local"}


def no_file(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(os.mkfifo, "it is no regular file", id="FIFO"),
        pytest.param(Path.mkdir, "it is no regular file", id="folder"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "it is no regular file", id="endless device"),
        pytest.param(lambda path: path.symlink_to(path), os.strerror(40), id="link to itself"),
        pytest.param(lambda path: path.symlink_to("/proc/self/mem"), os.strerror(5), id="read error"),
    ],
)
@pytest.mark.parametrize("name", ["jail.conf", "jail.d/x.conf", "included.conf"])
def test_what_is_no_file_does_not_block_a_reading(
    tmp_path: Path, name: str, make: Callable[[Path], None], reason: str
) -> None:
    folder = write(tmp_path, {"jail.local": f"[INCLUDES]\nbefore = included.conf\n{SSHD}", "jail.d/other.conf": ""})
    make(tmp_path / name)

    with seconds(5):
        found = read(folder)

    assert found == JailConfiguration(frozenset({"sshd"}), (Fault(str(tmp_path / name), reason),))


def test_a_fifo_that_takes_the_place_of_a_file_meanwhile_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, {"jail.conf": SSHD, "jail.local": ""})
    real = os.open

    def swap(path: str, flags: int) -> int:
        if path.endswith("jail.local"):
            Path(path).unlink()
            os.mkfifo(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swap)
    with seconds(5):
        found = read(folder)

    assert found.enabled == {"sshd"}
    assert faults(tmp_path, found) == {"jail.local": "it is no regular file"}


def test_a_file_turned_off_by_a_link_to_dev_null_is_no_fault(tmp_path: Path) -> None:
    folder = write(tmp_path, {"jail.conf": SSHD, "jail.d/other.conf": ""})
    (tmp_path / "jail.d/x.conf").symlink_to(os.devnull)

    assert read(folder) == JailConfiguration(frozenset({"sshd"}))


@pytest.mark.parametrize("name", ["jail.conf", "jail.d", "included.conf"])
def test_what_the_exporter_may_not_read_is_told(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    includes = f"[INCLUDES]\nbefore = included.conf\n{SSHD}"
    folder = write(tmp_path, {"jail.local": includes, "jail.conf": "", "jail.d/x.conf": "", "included.conf": ""})
    # Not by chmod: root, who runs the tests here and there, may read everything.
    for function in ("open", "listdir"):
        monkeypatch.setattr(os, function, refusing(getattr(os, function), str(tmp_path / name)))

    assert read(folder) == JailConfiguration(frozenset({"sshd"}), (Fault(str(tmp_path / name), os.strerror(13)),))


def refusing(real: Callable[..., object], refused: str) -> Callable[..., object]:
    """A function of `os` that has no permission for one path."""

    def call(path: object, *args: object, **options: object) -> object:
        if path == refused:
            raise PermissionError(13, os.strerror(13), refused)
        return real(path, *args, **options)

    return call


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda _: None, os.strerror(2), id="missing"),
        pytest.param(Path.touch, os.strerror(20), id="a file"),
        pytest.param(Path.mkdir, "no jail.conf, jail.local or jail.d in it", id="empty"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    folder = tmp_path / "config"
    make(folder)

    assert read(str(folder)) == JailConfiguration(faults=(Fault(str(folder), reason),))


def test_an_included_file_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    includes = "[INCLUDES]\nbefore =\n paths-other.conf\nafter = /nowhere/overrides.local\n"

    assert read(write(tmp_path, {"jail.conf": includes + SSHD})) == JailConfiguration(frozenset({"sshd"}))


# -- what would take for ever


def chain(length: int, twice: bool = False) -> dict[str, str]:  # noqa: FBT001, FBT002
    """Files that each include the next one."""
    return {f"{number}.inc": "[INCLUDES]\nbefore = " + f"\n {number + 1}.inc" * (1 + twice) for number in range(length)}


LAUGHS = (
    "[DEFAULT]\n" + "".join(f"x{n} = {f'%(x{n + 1})s' * 20}\n" for n in range(8)) + "x8 = {}\n[b]\nenabled=%(x0)s\n"
)


@pytest.mark.parametrize(
    ("files", "faulty"),
    [
        pytest.param({"x.conf": LAUGHS.format("ha")}, "x.conf", id="references that make 50 GB"),
        pytest.param({"x.conf": LAUGHS.format("")}, "x.conf", id="references that make nothing"),
        pytest.param({"x.conf": "[INCLUDES]\nafter = %(x0)s\n" + LAUGHS}, "x.conf", id="in an include"),
        pytest.param({"x.conf": f"[INCLUDES]\nbefore=0.inc\n{SSHD}"} | chain(300), "x.conf", id="a long chain"),
        pytest.param({"x.conf": "[INCLUDES]\nbefore=0.inc\n"} | chain(40, twice=True), "31.inc", id="2^40 includes"),
        pytest.param(
            {"x.conf": "[INCLUDES]\nafter=" + "\n y.conf" * 2000, "y.conf": ""}, "x.conf", id="one file often"
        ),
        pytest.param({"x.conf": "[b]\n" + "x" * 9 + " " * (MAX_FILE_BYTES - 99) + "x"}, "x.conf", id="blanks"),
        pytest.param({"x.conf": "[b]\n" + "x\n" * (MAX_FILE_BYTES // 4)}, "x.conf", id="a quarter million stray lines"),
        pytest.param({f"{n}.conf": "" for n in range(MAX_FILES + 9)}, "..", id="many files"),
        pytest.param({f"{n}.conf": " " * MAX_FILE_BYTES for n in range(6)}, "2.conf", id="large files"),
        pytest.param(
            {"x.conf": "[INCLUDES]\nafter=" + "\n y.conf" * 400, "y.conf": "".join(f"[{n}]\n" for n in range(30000))},
            "y.conf",
            id="a large file often",
        ),
    ],
)
def test_a_hostile_file_costs_no_more_than_itself(tmp_path: Path, files: Files, faulty: str) -> None:
    folder = write(tmp_path, {"jail.conf": SSHD} | {f"jail.d/{name}": content for name, content in files.items()})

    with seconds(20):
        found = read(folder)

    assert found.enabled == {"sshd"}
    assert os.path.normpath(f"jail.d/{faulty}") in {os.path.normpath(path) for path in faults(tmp_path, found)}


def test_references_that_laugh_in_every_jail_leave_the_plain_words(tmp_path: Path) -> None:
    everywhere = LAUGHS.format("").replace("[b]\n", "") + "".join(f"[{number}]\n" for number in range(99999))
    folder = write(tmp_path, {"jail.conf": everywhere, "jail.local": SSHD})

    with seconds(20):
        found = read(folder)

    assert found.enabled == {"sshd"}
    assert faults(tmp_path, found) == {"jail.conf": "enabled: its references make too much text"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"jail.conf": f"[INCLUDES]\nbefore = jail.conf\n{SSHD}"}, id="of itself"),
        pytest.param(
            {"jail.conf": "[INCLUDES]\nafter = x.conf\n", "x.conf": f"[INCLUDES]\nbefore = jail.conf\n{SSHD}"},
            id="of two",
        ),
    ],
)
def test_a_circle_of_includes_that_fail2ban_takes_is_no_fault(tmp_path: Path, files: Files) -> None:
    assert read(write(tmp_path, files)) == JailConfiguration(frozenset({"sshd"}))


def test_a_circle_of_includes_that_fail2ban_dies_of_is_told(tmp_path: Path) -> None:
    # Each time the path is longer by one `../d/`, so neither program knows it again.
    folder = write(tmp_path, {"jail.conf": f"[INCLUDES]\nbefore = d/x.conf\n{SSHD}"})
    write(tmp_path / "d", {"x.conf": "[INCLUDES]\nbefore = ../d/x.conf\n[a]\nenabled = true\n"})
    found = read(folder)

    assert found.enabled == {"sshd", "a"}
    assert faults(tmp_path, found) == {"jail.conf": f"its includes are more than {MAX_INCLUDE_DEPTH} deep"}


@given(st.dictionaries(st.sampled_from(["jail.conf", "jail.d/x.conf", "x.conf", "jail.local"]), st.binary()))
def test_no_bytes_make_a_reading_fail(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        found = read(write(Path(folder), files | {"jail.d/x.local": SSHD.encode()}))

    assert "sshd" in found.enabled


# -- when it is read again


def settled(folder: str) -> ConfigurationWatch:
    """A watch that has seen all there is."""
    watch = ConfigurationWatch(folder)
    assert watch.poll() is not None
    assert watch.poll() is None
    return watch


STOCK = {
    "jail.conf": "[INCLUDES]\nbefore = paths.conf\n[DEFAULT]\nenabled = false\n[sshd]\n[web]\n",
    "paths.conf": "[INCLUDES]\nafter = overrides.local\n",
    "jail.d/x.conf": SSHD,
}


@pytest.mark.parametrize(
    ("change", "enabled"),
    [
        pytest.param(lambda f: write(f, {"jail.d/x.conf": "[web]\nenabled = 1\n"}), {"web"}, id="a file"),
        pytest.param(lambda f: write(f, {"jail.d/x.conf": "[web]\nenabled = true"}), {"web"}, id="to the same size"),
        pytest.param(lambda f: write(f, {"jail.local": "[web]\nenabled = 1\n"}), {"sshd", "web"}, id="a new file"),
        pytest.param(lambda f: write(f, {"jail.d/a.local": "[web]\nenabled=1"}), {"sshd", "web"}, id="new in jail.d"),
        pytest.param(lambda f: (f / "jail.d/x.conf").rename(f / "jail.d/x.off"), set(), id="a file renamed"),
        pytest.param(lambda f: (f / "jail.d").rename(f / "off"), set(), id="jail.d gone"),
        pytest.param(lambda f: write(f, {"paths.conf": "[web]\nenabled=1"}), {"sshd", "web"}, id="an included file"),
        pytest.param(
            lambda f: write(f, {"overrides.local": "[web]\nenabled=1"}), {"sshd", "web"}, id="a missing include"
        ),
        pytest.param(lambda f: write(f, {"paths.local": "[web]\nenabled=1"}), {"sshd", "web"}, id="beside an include"),
        pytest.param(lambda f: os.utime(f / "jail.conf"), {"sshd"}, id="nothing but the time"),
    ],
)
def test_a_change_is_read_once(tmp_path: Path, change: Callable[[Path], object], enabled: set[str]) -> None:
    watch = settled(write(tmp_path, STOCK))

    change(tmp_path)

    assert watch.poll() == JailConfiguration(frozenset(enabled))
    assert watch.poll() is None
    assert watch.poll() is None


def test_an_edit_that_keeps_size_and_modification_time_is_seen(tmp_path: Path) -> None:
    watch = settled(write(tmp_path, STOCK))
    file = tmp_path / "jail.d/x.conf"
    times = file.stat()

    file.write_text(SSHD.replace("true", "nope"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert watch.poll() == JailConfiguration()


def test_without_a_change_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = settled(write(tmp_path, STOCK))
    monkeypatch.delattr(os, "open")

    # An editor's own file, and other parts of fail2ban's configuration, are none of the jails'.
    write(tmp_path, {"jail.d/.x.conf.swp": "", "fail2ban.local": "", "filter.d/x.conf": ""})

    assert watch.poll() is None


def test_a_file_written_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = settled(write(tmp_path, STOCK))
    real = os.open

    def write_more(path: str, flags: int) -> int:
        monkeypatch.setattr(os, "open", real)
        descriptor = real(path, flags)
        os.read(descriptor, 9999)
        Path(path).write_text("[web]\nenabled = true\n")
        return descriptor

    os.utime(tmp_path / "jail.conf")
    monkeypatch.setattr(os, "open", write_more)
    half = watch.poll()

    assert half is not None
    assert half.enabled == {"sshd"}
    latest = watch.poll()
    assert latest is not None
    assert latest.enabled == {"web", "sshd"}
    assert watch.poll() is None


def test_a_write_too_soon_for_the_clock_of_the_files_is_read_at_the_next_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ConfigurationWatch(write(tmp_path, STOCK))
    real = os.stat

    def coarse(path: str, **options: bool) -> os.stat_result:
        found = real(path, **options)
        return os.stat_result(found[:10], {"st_rdev": found.st_rdev, "st_mtime_ns": 0, "st_ctime_ns": 0})

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", coarse)
        first = watch.poll()
        write(tmp_path, {"jail.d/x.conf": SSHD.replace("sshd", "mail")})
        second = watch.poll()

    assert first == JailConfiguration(frozenset({"sshd"}))
    assert second == JailConfiguration(frozenset({"mail"}))


def test_a_folder_that_comes_later_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    watch = settled(str(folder))

    write(folder, {"jail.conf": SSHD})

    assert watch.poll() == JailConfiguration(frozenset({"sshd"}))


def test_it_can_be_read_without_a_change(tmp_path: Path) -> None:
    watch = settled(write(tmp_path, STOCK))

    assert watch.read() == JailConfiguration(frozenset({"sshd"}))
    assert watch.poll() is None


def test_an_empty_name_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"jail.conf": SSHD})
    watch = ConfigurationWatch("")

    assert watch.poll() is None
    assert watch.read() == JailConfiguration()
    assert read("") == JailConfiguration()


# -- configurations at random, for here and for the comparison with fail2ban

_NAMES = ["jail.conf", "jail.d/a.conf", "jail.d/b.conf", "jail.local", "jail.d/a.local", "jail.d/c.local"]
_INCLUDED = ["x.conf", "x.local", "jail.d/y.inc", "sub/z.conf"]
# What references may refer to, so that most of them find something.
_BASE = "[DEFAULT]\nenabled = {}\non = true\noff = 0\n[sshd]\nenabled = yes\non = no\n[web]\nenabled = %(on)s\n"
_SECTIONS = ["DEFAULT", "sshd", "web", "Mail", "web?family=inet6", "KNOWN/sshd", "default"]
_OPTIONS = ["on", "off", "Enabled ", "known/enabled", "enabled?family=inet6"]
_WORDS = ["true", "false", "yes", "no", "1", "0", "ON", "off ; c", "on ; c"]
_REFERENCES = ["on", "off", "known/on", "default/on", "default/enabled", "known/enabled", "sshd/enabled", "web/on"]
_ODD_REFERENCES = ["__name__", "DEFAULT/off", "Mail/on", "Known/off", "ON", "INCLUDES/before", "nowhere/on", "sshd/off"]
_PARTS = ["", "t", "rue", "%%", "%", " ", "true # c", "\n\ttrue", ";", "\n# c\n  x"]


def _texts() -> st.SearchStrategy[str]:
    references = st.sampled_from(_REFERENCES).map("%({})s".format)
    odd = st.sampled_from(_ODD_REFERENCES).map("%({})s".format)
    parts = st.lists(st.one_of(st.sampled_from(_PARTS), references, odd), max_size=3).map("".join)
    words = st.sampled_from(_WORDS)
    values = st.one_of(words, words, words, words, references, references, references, parts)
    options = st.one_of(
        st.fixed_dictionaries({"enabled": values}),
        st.fixed_dictionaries({"enabled": values}, optional=dict.fromkeys(_OPTIONS, values)),
        st.dictionaries(st.sampled_from(_OPTIONS), values, max_size=2),
    )
    lines = st.tuples(
        options, st.sampled_from(["", "", "", " ", "# c\n", "; c\n", "\n"]), st.sampled_from([" = ", "=", ": "])
    ).map(lambda drawn: "".join(f"{drawn[1]}{name}{drawn[2]}{value}\n" for name, value in drawn[0].items()))
    names = st.lists(st.sampled_from([*_INCLUDED, "z.conf", "a.conf", "nowhere.conf"]), max_size=2).map("\n ".join)
    includes = st.dictionaries(st.sampled_from(["before", "after"]), names, min_size=1).map(
        lambda drawn: "".join(f"{name} = {value}\n" for name, value in drawn.items())
    )
    sections = st.dictionaries(st.sampled_from(_SECTIONS), lines, min_size=1, max_size=3)
    return st.one_of(sections, st.tuples(sections, includes).map(lambda drawn: drawn[0] | {"INCLUDES": drawn[1]})).map(
        lambda drawn: "".join(f"[{name}]\n{text}" for name, text in drawn.items())
    )


configurations = st.tuples(
    st.sampled_from(["true", "false"]).map(lambda word: {"jail.conf": _BASE.format(word)}),
    st.dictionaries(st.sampled_from(_NAMES), _texts(), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(_INCLUDED), _texts(), max_size=2),
).map(lambda drawn: drawn[0] | drawn[1] | drawn[2])


@given(configurations, st.sampled_from(["jail.d/~.conf", "jail.d/~.local"]))
def test_a_jail_added_by_a_file_of_its_own_is_always_seen(files: dict[str, str], name: str) -> None:
    with TemporaryDirectory() as folder:
        before = read(write(Path(folder), files))
        after = read(write(Path(folder), {name: "[new]\nenabled = true\n"}))

    assert after.enabled == before.enabled | {"new"}
    assert after.faults == before.faults
