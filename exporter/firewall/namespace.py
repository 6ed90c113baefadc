"""Whether the exporter sees the firewall that fail2ban fills: each network namespace has one of its own."""

from __future__ import annotations

import socket
from pathlib import Path

from exporter.firewall.programs import FirewallError
from exporter.model import FirewallFault

_TEXT = (
    "the exporter sees another network than fail2ban, and so another firewall: as a service it needs "
    "PrivateNetwork=no, as a container the host's network"
)


def check_namespace(pid: int | None) -> None:
    """Compare the exporter's network namespace with that of the server's process, as far as both can be seen.

    Without CAP_SYS_PTRACE the server's often can't; then one that has no interface but loopback can't be the host's.

    Raises:
        FirewallError: it is another one.
    """
    own, others = _namespace("self"), None if pid is None else _namespace(str(pid))
    is_alone = [name for _, name in socket.if_nameindex()] == ["lo"]
    if is_alone if own is None or others is None else own != others:
        raise FirewallError(FirewallFault.OTHER_NAMESPACE, _TEXT)


def _namespace(process: str) -> tuple[int, int] | None:
    try:
        status = Path(f"/proc/{process}/ns/net").stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
