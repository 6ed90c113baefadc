"""What an editor or a package leaves in fail2ban's configuration: read in time, and the files that are good count."""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from exporter.fail2ban.configuration import ConfigurationWatch, read
from tests import programs
from tests.fuzz import examples

SECONDS = 5.0
BITS = (b"[", b"]", b"%", b"%(", b")s", b"=", b"\n", b"\n ", b"#", b"\x00", b"\xff", b"enabled = true\n", b"[sshd]\n")
DAMAGES = st.lists(
    st.tuples(st.integers(0, 2**20), st.integers(0, 60), st.sampled_from(BITS) | st.binary(max_size=6)), max_size=6
)


def damaged(data: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    """The same with pieces cut out and others put in."""
    for where, length, instead in damages:
        start = where % (len(data) + 1)
        data = data[:start] + instead + data[start + length :]
    return data


@examples(40)
@given(DAMAGES, st.sampled_from(["jail.conf", "paths-debian.conf", "paths-common.conf"]))
def test_debians_own_configuration_damaged_anywhere_is_read_in_time_and_the_good_file_counts(
    damages: list[tuple[int, int, bytes]], name: str
) -> None:
    stock = programs.fail2ban("1.1.1").root / "etc/fail2ban"
    with TemporaryDirectory() as folder:
        path = Path(folder)
        for file in stock.glob("*.conf"):
            shutil.copy(file, path)
        (path / name).write_bytes(damaged((stock / name).read_bytes(), damages))
        (path / "jail.local").write_text("[mine]\nenabled = true\n", encoding="utf-8")
        started = time.monotonic()

        found = read(folder)

        assert time.monotonic() - started < SECONDS
        assert "mine" in found.enabled
        for fault in found.faults:
            assert Path(fault.path).is_relative_to(path)
            assert len(fault.reason) < 300


@examples(40)
@given(st.lists(st.tuples(st.sampled_from(["jail.conf", "jail.d/a.local", "jail.local"]), DAMAGES), max_size=4))
def test_a_configuration_under_change_is_told_as_it_is_in_the_end(
    edits: list[tuple[str, list[tuple[int, int, bytes]]]],
) -> None:
    """Whatever was seen meanwhile, the watch ends with what a fresh reading says."""
    good = b"[DEFAULT]\nenabled = false\n[sshd]\nenabled = true\n[web]\nenabled = %(sshd/enabled)s\n"
    with TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "jail.d").mkdir()
        watch = ConfigurationWatch(folder)
        latest = watch.poll()
        for name, damages in edits:
            (path / name).write_bytes(damaged(good, damages))
            latest = watch.poll() or latest
        latest = watch.poll() or latest

        assert latest == read(folder)
