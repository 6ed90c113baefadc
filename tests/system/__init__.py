"""The exporter on a whole Debian under its own systemd: `make system-test`, as root; no part of `make test`."""
