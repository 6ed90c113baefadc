"""The monitoring that people run beside the exporter, as real programs: Prometheus, Alertmanager, what they notify."""
