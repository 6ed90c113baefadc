"""The schema of a web config file: that of Prometheus's exporter-toolkit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from exporter.sources import quoted, suggestion, visible
from exporter.web.config import names, values
from exporter.web.config.contradictions import contradictions
from exporter.web.config.document import Document, Key
from exporter.web.config.values import Takes

_PEM: Final = "text in PEM"


class _Group(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", validate_by_alias=True, hide_input_in_errors=True
    )


class TlsServer(_Group):
    """How connections are encrypted, and which clients may make one."""

    cert: Annotated[str | None, values.text(_PEM)] = None
    key: Annotated[str | None, values.text(_PEM, secret=True)] = None
    client_ca: Annotated[str | None, values.text(_PEM)] = None
    cert_file: Annotated[Path | None, values.file("a certificate in PEM")] = None
    key_file: Annotated[Path | None, values.file("a key in PEM")] = None
    client_ca_file: Annotated[Path | None, values.file("certificates in PEM")] = None
    client_auth_type: Annotated[str, values.choice(names.CLIENT_AUTH, names.CLIENT_AUTH_REFUSED)] = "NoClientCert"
    client_allowed_sans: list[Annotated[str, values.text("a name, address or URI, as certificates have it")]] = []
    min_version: Annotated[str, values.choice(names.VERSIONS, names.VERSIONS_REFUSED)] = "TLS12"
    max_version: Annotated[str, values.choice(names.VERSIONS, names.VERSIONS_REFUSED)] = "TLS13"
    cipher_suites: list[Annotated[str, values.choice(names.CIPHER_SUITES, names.CIPHER_SUITES_REFUSED)]] = []
    prefer_server_cipher_suites: Annotated[bool, values.switch()] = True
    curve_preferences: list[Annotated[str, values.choice(names.CURVES, names.CURVES_REFUSED)]] = []


class Headers(_Group):
    """Headers for every answer whose route has none of its own by that name."""

    content_security_policy: Annotated[str, values.header("Content-Security-Policy")] = Field(
        default="", alias="Content-Security-Policy"
    )
    strict_transport_security: Annotated[str, values.header("Strict-Transport-Security")] = Field(
        default="", alias="Strict-Transport-Security"
    )
    x_content_type_options: Annotated[str, values.header("X-Content-Type-Options")] = Field(
        default="", alias="X-Content-Type-Options"
    )
    x_frame_options: Annotated[str, values.header("X-Frame-Options")] = Field(default="", alias="X-Frame-Options")
    x_xss_protection: Annotated[str, values.header("X-XSS-Protection")] = Field(default="", alias="X-XSS-Protection")


class HttpServer(_Group):
    """How HTTP is spoken."""

    http2: Annotated[bool, values.switch()] = True
    headers: Headers = Headers()


class Limit(_Group):
    """A token bucket for all requests together."""

    interval: Annotated[float, values.duration()] = 0.0
    burst: Annotated[int, values.count(0)] = 0


class File(_Group):
    """A whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[str, Annotated[str, values.bcrypt_hash()]] = {}
    rate_limit: Limit = Limit()


def validate(document: Document) -> File | None:
    """Check a document against the schema; each fault found is added to the document's.

    Returns:
        The file, None if there is any fault.
    """
    found = None
    try:
        found = File.model_validate(document.root)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False, include_context=True):
            document.faults.append(_fault(detail, document))
    document.faults += contradictions(document)
    return None if document.faults else found


def _fault(detail: ErrorDetails, document: Document) -> str:
    key: Key = detail["loc"]
    known, takes = _known(key)
    spelt, place = visible(".".join(map(str, key))), document.place(key)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {spelt} {place}{suggestion(str(key[-1]), known)}"
    value = document.at(key)
    if takes is None:
        wanted = "a list" if detail["type"] == "list_type" else "a mapping"
        return f"{spelt}: not {wanted} {place}; accepted: {wanted}"
    shown = "(hidden)" if takes.secret else quoted(value if isinstance(value, str) else None)
    reason = detail.get("ctx", {}).get("error", detail["msg"])
    if not isinstance(value, str):
        return f"{spelt}: {reason} {place}; accepted: {takes.accepted}"
    return f"{spelt}: {shown} {place}: {reason}; accepted: {takes.accepted}"


def reference(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield every key of a group with its default and what is accepted, in words."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        group, takes = _taken(field)
        if group:
            yield from reference(group, f"{key}.")
        elif takes:
            default = field.default
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default else "none"
            plural = {"list": "a list: ", "dict": "by user: "}.get(getattr(field.annotation, "__name__", ""), "")
            yield key, shown if default is not False else "`false`", f"{plural}{takes.accepted}"


def _taken(field: FieldInfo) -> tuple[type[BaseModel] | None, Takes | None]:
    """The group that a field is, or how its value, or each of its values, is read."""
    parts = [*field.metadata, *_types(field.annotation)]
    group = next((each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)), None)
    return group, next((each for each in parts if isinstance(each, Takes)), None)


def _known(key: Key) -> tuple[list[str], Takes | None]:
    """The keys that could stand where this one does, and how its value is read if it is no group."""
    model: type[BaseModel] = File
    for depth, part in enumerate(key):
        field = next((each for name, each in model.model_fields.items() if (each.alias or name) == part), None)
        siblings = [each.alias or name for name, each in model.model_fields.items()]
        if field is None:
            return siblings, None
        group, takes = _taken(field)
        if group:
            model = group
            continue
        is_whole = depth + 1 == len(key) and not any(isinstance(each, Takes) for each in field.metadata)
        return siblings, None if is_whole else takes  # a whole list, or all users, have no value of their own
    return [], None


def _types(annotation: Any) -> Iterator[Any]:
    """All that an annotation is made of, the outermost first."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _types(inner)
    yield from getattr(annotation, "__metadata__", ())
