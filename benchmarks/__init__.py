"""What the exporter costs, measured: each module is a command, ``python -m benchmarks`` runs them all."""
