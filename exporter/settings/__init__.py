"""The settings: what there is to set, and how it is read."""

from exporter.settings.loading import Inspectors, InvalidSettings, load, load_with
from exporter.settings.model import KNOWN, ONLY_AT_START, Fail2ban, Probe, Settings, Web, effective, value_of

__all__ = [
    "KNOWN",
    "ONLY_AT_START",
    "Fail2ban",
    "Inspectors",
    "InvalidSettings",
    "Probe",
    "Settings",
    "Web",
    "effective",
    "load",
    "load_with",
    "value_of",
]
