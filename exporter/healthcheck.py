"""`python -m exporter.healthcheck`: whether the exporter beside it is healthy, for a container that has no curl.

Asks `/-/healthy` where FAIL2BAN_EXPORTER_WEB__LISTEN_ADDRESS says that the exporter listens (the first address, when
there are several), over HTTPS where it says that it speaks that. Exits with 0 when the answer is 200, else with 1 and
a line on stderr that says why.

Nobody but the clients of the web config file is let in, this check neither: it knows no password, since the file holds
hashes alone, and has no certificate. An exporter that turns it away for that answers, which is all that can be asked
for then; so does one whose rate limit is used up. Of a prober that hangs `/metrics` tells those who are let in.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from collections.abc import Callable
from http import HTTPStatus

from exporter.addresses import ListenAddress

DEFAULT_ADDRESS = ":9191"
# Docker's own timeout for the check is set a little longer, so that the reason gets into its log.
_SECONDS = 4.0
_ALIVE = frozenset({HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS})
_TURNED_AWAY = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"})
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
    try:
        status, body = _ask(where, http.client.HTTPConnection)
        if status == HTTPStatus.BAD_REQUEST and "HTTPS" in body:
            status, body = _ask(where, _https)
    except ssl.SSLError as error:
        # It wants a certificate, and says so.
        return None if error.reason in _TURNED_AWAY else f"no answer from {where}: {error}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {where}: {error}"
    return None if status in _ALIVE else f"{status} {HTTPStatus(status).phrase}: {body}"


def _ask(where: ListenAddress, connect: Callable[..., http.client.HTTPConnection]) -> tuple[int, str]:
    connection = connect(_HERE.get(where.host, where.host), where.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/-/healthy", headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1000).decode(errors="replace").strip()
    finally:
        connection.close()


def _https(host: str, port: int, timeout: float) -> http.client.HTTPConnection:
    # Its certificate is for its public name, and nothing that this check sends is a secret.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


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
