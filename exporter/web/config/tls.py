"""From the schema's TLS section, and the files that it names, to a context for Python's ssl."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from exporter.web.config import names
from exporter.web.config.schema import TlsServer
from exporter.web.security import Security, normal_names

_NO_RESUMPTION = ssl.OP_NO_TICKET
_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE | _NO_RESUMPTION


class Unusable(Exception):  # noqa: N818 - it says what is wrong, as the program's users read it
    """What the section asks for can't be had; the text says what and why."""


@dataclass(frozen=True)
class Material:
    """What the section needs beside itself, as bytes in PEM, wherever they came from."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


def secure(section: TlsServer, material: Material) -> Security:
    """Make the context that a section asks for, or none at all: nothing that it asks for is left out.

    A connection is never resumed: each client shows its certificate under the rules in force.

    Raises:
        Unusable: It can't be had.
    """
    allowed_names = normal_names(section.client_allowed_sans) if section.client_allowed_sans else None
    context = _make_context(section, material, section.curve_preferences)
    return Security(context, allowed_names, _make_retries(section, material))


def _make_retries(section: TlsServer, material: Material) -> dict[int, ssl.SSLContext]:
    """Make what clients can be asked by to greet twice: only in TLS 1.3, and by one of several curves."""
    allowed = section.curve_preferences or list(names.CURVES)
    if names.VERSIONS[section.max_version] < ssl.TLSVersion.TLSv1_3 or len(allowed) == 1:
        return {}
    return {
        number: _make_context(section, material, [curve])
        for curve, number in names.RETRY_CURVES.items()
        if curve in allowed
    }


def _make_context(section: TlsServer, material: Material, curves: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= _OPTIONS
    context.num_tickets = 0
    # Nothing else is served: a client that offers HTTP/2 as well takes this.
    context.set_alpn_protocols(["http/1.1"])
    context.minimum_version = names.VERSIONS[section.min_version]
    context.maximum_version = names.VERSIONS[section.max_version]
    if not section.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _choose_suites(context, section.cipher_suites)
    _choose_curves(context, curves)
    try:
        _load_certificate(context, material)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unusable(f"a key needs memfd_create and /proc to reach OpenSSL, and this system says: {reason}") from None
    if material.client_ca is not None:
        _load_client_ca(context, material.client_ca)
    context.verify_mode = names.CLIENT_AUTH[section.client_auth_type]
    return context


def _choose_suites(context: ssl.SSLContext, suites: list[str]) -> None:
    if not suites:
        return
    wanted = {names.CIPHER_SUITES[suite]: suite for suite in suites}
    with suppress(ssl.SSLError):  # it has none of them, which is said below
        context.set_ciphers(":".join(wanted))
    missing = [suite for name, suite in wanted.items() if name not in {each["name"] for each in context.get_ciphers()}]
    if missing:
        raise Unusable(f"cipher_suites: this machine's OpenSSL does not have {', '.join(missing)}")


def _choose_curves(context: ssl.SSLContext, curves: list[str]) -> None:
    if not curves:
        return
    openssl = [names.CURVES[curve] for curve in curves]
    try:
        if names.CAN_ORDER_CURVES:
            context.set_groups(":".join(openssl))  # type: ignore[attr-defined] # Python 3.15
        else:
            context.set_ecdh_curve(*openssl)
    except (ValueError, ssl.SSLError):
        raise Unusable(f"curve_preferences: this machine's OpenSSL can't be set to {', '.join(curves)}") from None


def _load_certificate(context: ssl.SSLContext, material: Material) -> None:
    def no_password() -> bytes:
        raise Unusable("the key is encrypted; accepted: one without a password")

    with _as_file(material.certificate) as certificate, _as_file(material.key) as key:
        _check_pem(certificate, material)
        try:
            context.load_cert_chain(certificate, key, password=no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise Unusable("the certificate and the key don't belong together") from None
            raise Unusable(f"the key, or the certificate with it, can't be used: {_reason(error)}") from None


def _check_pem(certificate: str, material: Material) -> None:
    """Say of which of the two files it is that it holds no PEM; OpenSSL doesn't."""
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        probe.load_verify_locations(cafile=certificate)
    except ssl.SSLError as error:
        raise Unusable(f"the certificate can't be read: {_reason(error)}") from None
    if b"PRIVATE KEY-----" not in material.key:
        raise Unusable("the key is no private key in PEM")


def _load_client_ca(context: ssl.SSLContext, client_ca: bytes) -> None:
    try:
        context.load_verify_locations(cadata=client_ca.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        reason = _reason(error) if isinstance(error, ssl.SSLError) else "no certificate in PEM"
        raise Unusable(f"the client CA can't be read: {reason}") from None
    # As in Go, whatever stands there is trusted: an authority below another, or a client's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give bytes a path for as long as the block lasts, in memory alone: Python's ssl takes keys from files only."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unknown to OpenSSL").lower().replace("_", " ")
