"""The one way to load the settings: flags over environment over file over default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic_settings import InitSettingsSource

from exporter import durations, sources
from exporter.errors import ExporterError
from exporter.settings.model import KNOWN, Canary, Settings, loaded
from exporter.sources import Given, Reading, Setting


class InvalidSettings(ExporterError):  # noqa: N818 - it says what is wrong, as the program's users read it
    """The settings given can't be used."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("invalid settings: " + " | ".join(faults))
        self.faults = tuple(faults)
        """One line each: the setting, the value, where it came from, what is accepted."""


Inspectors = Mapping[str, Callable[[Path], Sequence[str]]]
"""By the name of a setting that names a file: what returns the faults of that file."""
_NO_INSPECTORS: Inspectors = MappingProxyType({})


def load(argv: Sequence[str], environ: Mapping[str, str], inspect: Inspectors = _NO_INSPECTORS) -> Settings:
    """Read the settings; see `load_with`."""
    return load_with((), argv, environ, inspect)[0]


def load_with(
    own: Sequence[Setting],
    argv: Sequence[str],
    environ: Mapping[str, str],
    inspect: Inspectors = _NO_INSPECTORS,
) -> tuple[Settings, dict[str, Any]]:
    """Read the settings from flags, environment and the file that ``--config.file`` names.

    It keeps nothing between calls: to reload, call it again. Every value is checked, that of a lower source too where
    a higher one outranks it, so that a fault is found before the day when it counts.

    Args:
        own: A command's own options, which are flags and nothing else; one whose default is ``...`` must be given.
        argv: The flags, without the program's name and the command.
        environ: The process's environment.
        inspect: Looks into the files that are in force.

    Returns:
        The settings, and the values of the command's own options by name.

    Raises:
        InvalidSettings: With every fault of all three sources, and of the files that they name.
    """
    flags = sources.from_flags(argv, (*KNOWN, *own))
    environment = sources.from_environment(environ, KNOWN)
    file = _from_file([*flags.given, *environment.given])
    faults: list[str] = []
    for given, met in (flags, environment, file):
        faults += met
        faults += [fault for entry in given if (fault := entry.check())]
    in_order = [*flags.given, *environment.given, *file.given]
    for name, faults_of in inspect.items():
        entry = next((each for each in in_order if each.setting.name == name and not each.check()), None)
        path = None if entry is None else entry.setting.takes.parse(entry.value)
        faults += faults_of(path) if path else ()
    options = {given.setting.name: given for given in flags.given if given.setting in own}
    faults += [
        f"{one.name}: not given; accepted: {one.takes.accepted}"
        for one in own
        if one.default is ... and one.name not in options and one.flag not in argv
    ]
    if faults:
        raise InvalidSettings(faults)
    of_settings = Reading([given for given in flags.given if given.setting not in own], [])
    token = loaded.set(
        tuple(InitSettingsSource(Settings, sources.nested(given)) for given, _ in (of_settings, environment, file))
    )
    try:
        settings = Settings()
    finally:
        loaded.reset(token)
    if fault := _canary_fault(settings.canary, [*flags.given, *environment.given, *file.given]):
        raise InvalidSettings([fault])
    defaults = {one.name: one.default for one in own}
    return settings, defaults | {name: given.setting.takes.parse(given.value) for name, given in options.items()}


def _canary_fault(canary: Canary, given: Sequence[Given]) -> str | None:
    """Return what is wrong if an attack would last until the next one; at least one of the two settings was given."""
    if canary.timeout < canary.interval:
        return None
    timeout = next((each for each in given if each.setting.name == "canary.timeout"), None)
    if timeout is not None:
        return timeout.fault(f"not shorter than canary.interval, {durations.format(canary.interval)}")
    interval = next(each for each in given if each.setting.name == "canary.interval")
    return interval.fault(f"not longer than canary.timeout, {durations.format(canary.timeout)}")


def _from_file(outranking: Sequence[Given]) -> Reading:
    """Read the file that the first of the sources above it names, if one does."""
    for given in outranking:
        if given.setting.name != sources.CONFIG_FILE or given.check():
            continue
        path = given.setting.takes.parse(given.value)
        if path is None:
            break
        try:
            return sources.from_file(path, KNOWN)
        except ValueError as error:
            return Reading([], [given.fault(error)])
    return Reading([], [])
