"""The generated references, which can't drift from the code that they are made of."""

from __future__ import annotations

from exporter.docs.settings_reference import configuration

__all__ = ["configuration", "metrics"]


def metrics() -> str:
    """Return the reference of every metric: name, type, labels, meaning."""
    # Loaded only here: whoever asks for the settings need not wait for the metrics' library.
    from exporter.docs.metrics_reference import metrics as reference  # noqa: PLC0415

    return reference()
