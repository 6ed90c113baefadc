"""The container image, built and run without a Docker engine: `make image-test`, as root; no part of `make test`."""
