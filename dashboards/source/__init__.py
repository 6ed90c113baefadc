"""The Grafana dashboards as code; ``python -m dashboards.source`` writes the JSON that Grafana reads."""
