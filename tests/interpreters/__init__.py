"""The suite on every Python that the exporter is for: `make test-all`."""
