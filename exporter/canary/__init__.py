"""The canary: a synthetic attacker that must be banned, on a thread of its own, off the probes' path."""

from exporter.canary.failures import LogFileError, write
from exporter.canary.runner import CanaryOptions, CanaryRunner, Dependencies

__all__ = ["CanaryOptions", "CanaryRunner", "Dependencies", "LogFileError", "write"]
