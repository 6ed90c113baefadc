"""What is wrong about values of a web config file that are fine each by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from exporter.sources import quoted
from exporter.web.config import names
from exporter.web.config.document import Document

_TLS = "tls_server_config"
_STRICTEST = "RequireAndVerifyClientCert"
_VERIFYING = ("VerifyClientCertIfGiven", _STRICTEST)


def contradictions(document: Document) -> Iterator[str]:
    """Look at a document, faulty elsewhere as it may be, and say what does not go together."""
    tls = document.root.get(_TLS)
    if isinstance(tls, dict):
        for look in (_certificate, _clients, _versions, _curves):
            yield from look(tls, document)
    for user in document.mapping("basic_auth_users"):
        if not user or ":" in user:
            place = document.place(("basic_auth_users", user))
            yield f"basic_auth_users: {quoted(user)} {place}: a client can't send such a name; accepted: no colon in it"
    limit = document.mapping("rate_limit")
    if _is_above_zero(limit.get("interval")) and not _is_above_zero(limit.get("burst")):
        place = document.place(("rate_limit",))
        yield f"rate_limit: no burst {place}, so that no request would pass; accepted: a burst from 1"


def _is_above_zero(value: Any) -> bool:
    """Tell it of a number or a duration as it was written: zero may be ``0``, ``00``, ``0m``."""
    return re.search("[1-9]", str(value)) is not None


def _certificate(tls: dict[str, Any], document: Document) -> Iterator[str]:
    for name, needed in (("cert", True), ("key", True), ("client_ca", False)):
        if name in tls and f"{name}_file" in tls:
            place = document.place((_TLS, name))
            yield f"{_TLS}: both {name} and {name}_file {place}; accepted: one of them"
        elif needed and name not in tls and f"{name}_file" not in tls:
            yield f"{_TLS}: neither {name} nor {name}_file {document.place((_TLS,))}; accepted: one of them"


def _clients(tls: dict[str, Any], document: Document) -> Iterator[str]:
    policy = tls.get("client_auth_type", "NoClientCert")
    authorities = [name for name in ("client_ca", "client_ca_file") if name in tls]
    if authorities and policy == "NoClientCert":
        place = document.place((_TLS, authorities[0]))
        yield f"{_TLS}: {authorities[0]} {place} without a client_auth_type that uses it; accepted: {_STRICTEST}"
    if not authorities and policy in _VERIFYING:
        place = document.place((_TLS, "client_auth_type"))
        yield f"{_TLS}: {policy} {place} without a client CA; accepted: with client_ca or client_ca_file"
    if "client_allowed_sans" in tls:
        place = document.place((_TLS, "client_allowed_sans"))
        if policy != _STRICTEST:
            yield f"{_TLS}: client_allowed_sans {place} without client_auth_type {_STRICTEST}; accepted: both"
        if tls["client_allowed_sans"] == []:
            yield f"{_TLS}: no name in client_allowed_sans {place}, so that no client would pass; accepted: a name"


def _versions(tls: dict[str, Any], document: Document) -> Iterator[str]:
    if (tls.get("min_version", "TLS12"), tls.get("max_version", "TLS13")) == ("TLS13", "TLS12"):
        place = document.place((_TLS, "max_version"))
        yield f"{_TLS}: max_version {place} is below min_version; accepted: the same or a later one"


def _curves(tls: dict[str, Any], document: Document) -> Iterator[str]:
    curves = tls.get("curve_preferences")
    if isinstance(curves, list) and len(curves) > 1 and not names.CAN_ORDER_CURVES:
        place = document.place((_TLS, "curve_preferences"))
        yield (
            f"{_TLS}: several curve_preferences {place}, and Python's ssl before 3.15 can set a single one; "
            "accepted: one, or none for OpenSSL's own choice"
        )
