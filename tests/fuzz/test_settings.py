"""Whatever stands in flags, environment and file: settings, or one clear line for each fault; never anything else."""

import string
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import KNOWN, InvalidSettings, Settings, effective, load
from tests.fuzz import examples

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(string.printable, max_size=20),
    st.sampled_from(
        ["30s", "1m30s", "-1", "1e400", "nan", "inf", "9" * 400, ":9191", "[::]:1", "a:b:c", "/metrics", "/", "debug"]
    ),
    st.sampled_from(["a,b", ",,,", '"a', "true", "\x00", "\n", "%s", "{}", "é" * 300, "/" * 5000, "1h" * 200]),
)
FLAGS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([setting.flag for setting in KNOWN]), TEXTS).map("=".join),
        st.sampled_from([setting.flag for setting in KNOWN]),
        TEXTS,
    ),
    max_size=6,
)
ENVIRONMENT = st.dictionaries(
    st.one_of(
        st.sampled_from([setting.env for setting in KNOWN]),
        st.text(string.ascii_uppercase + "_", max_size=20).map("FAIL2BAN_EXPORTER_{}".format),
    ),
    TEXTS,
    max_size=5,
)
LITERALS = st.one_of(
    st.sampled_from(
        ["1", "-1", "1.5", "nan", "inf", "true", "[]", "{}", '["a", 1]', "1979-05-27", "0xff", '"""', "9" * 400]
    ),
    st.text(string.printable, max_size=10).map(lambda text: "'" + text.replace("'", "") + "'"),
)
LINES = st.one_of(
    st.sampled_from(KNOWN).flatmap(lambda setting: LITERALS.map(lambda value: f"{setting.name} = {value}")),
    st.sampled_from(["[web]", "[[web]]", "[probe.timeout]", "web = 1", "[nothing]", "[" * 3000, "# é"]),
    st.text(max_size=20),
)
FILES = st.one_of(
    st.lists(LINES, max_size=6).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")), st.binary()
)


def check(flags: list[str], environment: dict[str, str]) -> None:
    """Load; what comes of it must be good settings or clear faults."""
    try:
        settings = load(flags, environment)
    except InvalidSettings as error:
        faults = error.faults
    else:
        # Settings that were taken are taken again, as the log shows them.
        assert type(settings) is Settings
        shown = {name: value for name, value in effective(settings).items() if name != "config.file"}
        again = load([f"--{name}={value}" for name, value in shown.items()], {})
        assert shown.items() <= effective(again).items()
        return
    assert faults
    for fault in faults:
        assert fault
        assert fault.isprintable(), "one line that a terminal shows as it is"
        assert len(fault) < 2000


@examples(300)
@given(FLAGS, ENVIRONMENT)
def test_any_flags_and_environment_give_settings_or_clear_faults(flags: list[str], environment: dict[str, str]) -> None:
    check(flags, environment)


@examples(300)
@given(FILES)
def test_any_file_gives_settings_or_clear_faults(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_bytes(content)

        check([f"--config.file={path}"], {})


def test_the_files_at_random_are_not_all_rubbish() -> None:
    """So that the test above goes past the parser of TOML."""
    seen: set[object] = set()

    @examples(100)
    @given(FILES)
    def parse(content: bytes) -> None:
        try:
            seen.add(bool(tomllib.loads(content.decode())))
        except (ValueError, RecursionError):
            seen.add("no TOML")

    parse()

    assert seen >= {True, "no TOML"}
