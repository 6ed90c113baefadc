"""Scripts by which unpacked programs are called like installed ones, in the environment that they want."""

import os
import shlex
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

_CALL = """#!/bin/bash
{environment}
exec -a {name} {program} "$@"
"""


def library_folders(root: Path, *, more: Sequence[str] = ()) -> str:
    """Where the libraries of a Debian are whose `/` is `root`, for LD_LIBRARY_PATH; `more` are folders among them."""
    machine = machine_folder()
    folders = [f"usr/lib/{machine}", f"lib/{machine}", *(f"usr/lib/{machine}/{name}" for name in more)]
    return os.pathsep.join(str(root / folder) for folder in folders)


def machine_folder() -> str:
    """How Debian calls the folder of libraries for this kind of machine, such as `x86_64-linux-gnu`."""
    return str(sysconfig.get_config_var("MULTIARCH"))


def write_call(script: Path, program: Path, environment: Mapping[str, str]) -> None:
    """Write a script that becomes the program, under the script's own name, wherever the script is mounted."""
    script.parent.mkdir(exist_ok=True)
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())
    text = _CALL.format(environment=exports, name=script.name, program=shlex.quote(str(program)))
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
