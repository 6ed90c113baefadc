"""The one base class of the errors that a user can act on."""

from __future__ import annotations


class ExporterError(Exception):
    """Something that the user can act on; its text says what happened and what to do next."""
