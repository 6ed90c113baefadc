"""Settings as somebody gives them to the exporter, and what it says of those that it can't take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from exporter.settings import InvalidSettings, load

ENV = "FAIL2BAN_EXPORTER_"


def faults(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> list[str]:
    """Every fault of flags and environment, of which there is one at least."""
    with pytest.raises(InvalidSettings) as error:
        load(argv, environ or {})
    return list(error.value.faults)


def config(tmp_path: Path, text: str) -> str:
    """A settings file with this text; its path."""
    file = tmp_path / "exporter.toml"
    file.write_text(text)
    return str(file)
