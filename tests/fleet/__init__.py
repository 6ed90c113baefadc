"""A fleet of simulated hosts for real Prometheus servers: real snapshots, rendered by the exporter's own modules."""
