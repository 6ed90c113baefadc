"""`python -m exporter.healthcheck`: whether the exporter beside it is healthy, for a container that has no curl.

Asks `/-/healthy` where FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS says that the exporter listens (the first address, when
there are several). Exits with 0 when the answer is 200, else with 1 and a line on stderr that says why.
"""

from __future__ import annotations

import http.client
import os
import sys

from exporter.addresses import ListenAddress

DEFAULT_ADDRESS = ":9191"
# Docker's own timeout for the check is set a little longer, so that the reason gets into its log.
_SECONDS = 4.0
_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to, not to bind


def check(address: str) -> str | None:
    """Ask an exporter for its health.

    Args:
        address: Where it listens, as `--web.listen-address` takes it; all interfaces means this machine.

    Returns:
        None when it is healthy, else why not.
    """
    try:
        where = ListenAddress.parse(address)
    except ValueError as error:
        return str(error)
    connection = http.client.HTTPConnection(_HERE.get(where.host, where.host), where.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/-/healthy", headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {where}: {error}"
    finally:
        connection.close()
    return None if response.status == http.HTTPStatus.OK else f"{response.status} {response.reason}: {body}"


def main() -> int:
    """The exit status of the check."""
    addresses = os.environ.get("FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS") or DEFAULT_ADDRESS
    fault = check(addresses.split(",")[0].strip())
    if fault is None:
        return 0
    sys.stderr.write(f"unhealthy: {fault}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
