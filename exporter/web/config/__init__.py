"""The web config file: TLS, users, headers and rate limit, in the schema of Prometheus's exporter-toolkit."""
