"""Reading a web config file with all that it names, as a whole: all of it can be used, or every fault is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

from exporter.sources import quoted
from exporter.web.config.document import Document, parse
from exporter.web.config.model import InvalidWebConfig, RateLimit, WebConfig
from exporter.web.config.schema import File, TlsServer, validate
from exporter.web.config.tls import Material, Unusable, secure
from exporter.web.security import Security
from exporter.whole_file import read_small

_FILES = ("cert_file", "key_file", "client_ca_file")


def load(path: Path, present: WebConfig | None = None) -> WebConfig:
    """Read a web config file and all that it names.

    Args:
        path: The file; what it names is relative to its folder.
        present: The configuration in force. Where its TLS settings and files are the same, its context stays.

    Raises:
        InvalidWebConfig: With every fault.
    """
    document = Document(quoted(str(path)))
    files = [path]
    try:
        document = parse(read_small(path), path)
    except ValueError as error:
        document.faults.append(f"web.config.file: {quoted(str(path))}: {error}; accepted: a readable YAML file")
        raise InvalidWebConfig(document.faults, files) from None
    file = validate(document)
    material = _Reader(document, path.parent, files).material()
    security, digest = None, b""
    if file and file.tls_server_config and material:
        digest = _digest(file.tls_server_config, material)
        if present and digest == present.tls_digest:
            security = present.security
        else:
            security = _secure(file.tls_server_config, material, document)
    if file is None or document.faults:
        raise InvalidWebConfig(document.faults, files)
    return WebConfig(
        security=security,
        users=file.basic_auth_users,
        headers=_headers(file),
        rate_limit=RateLimit(file.rate_limit.interval, file.rate_limit.burst),
        http2_wanted="http2" in file.http_server_config.model_fields_set and file.http_server_config.http2,
        files=tuple(files),
        tls_digest=digest,
    )


class _Reader:
    """Reads the files that a document names, whatever else is wrong with it."""

    def __init__(self, document: Document, folder: Path, files: list[Path]) -> None:
        self._document = document
        self._folder = folder
        self._files = files
        tls = document.mapping("tls_server_config")
        self._texts = {name: value for name, value in tls.items() if isinstance(value, str)}

    def material(self) -> Material | None:
        """Return certificate, key and client CA, None where one is missing; that is a fault of the document then."""
        certificate, key, client_ca = (self._content(name) for name in ("cert", "key", "client_ca"))
        has_ca = "client_ca" in self._texts or "client_ca_file" in self._texts
        if certificate is None or key is None or (client_ca is None and has_ca):
            return None
        return Material(certificate, key, client_ca)

    def _content(self, name: str) -> bytes | None:
        from_file = f"{name}_file"
        if not self._texts.get(from_file):
            return self._texts[name].encode() if name in self._texts else None
        path = self._folder / self._texts[from_file]
        self._files.append(path)
        try:
            return read_small(path)
        except ValueError as error:
            place = self._document.place(("tls_server_config", from_file))
            self._document.faults.append(
                f"tls_server_config.{from_file}: {quoted(str(path))} {place}: {error}; accepted: a readable file in PEM"
            )
            return None


def _secure(section: TlsServer, material: Material, document: Document) -> Security | None:
    try:
        return secure(section, material)
    except Unusable as error:
        document.faults.append(f"tls_server_config: {error} {document.place(('tls_server_config',))}")
        return None


def _headers(file: File) -> tuple[tuple[bytes, bytes], ...]:
    written = file.http_server_config.headers.model_dump(by_alias=True)
    return tuple((name.lower().encode(), value.encode()) for name, value in written.items() if value)


def _digest(section: TlsServer, material: Material) -> bytes:
    digest = hashlib.sha256(section.model_dump_json().encode())
    for part in (material.certificate, material.key, material.client_ca or b""):
        digest.update(hashlib.sha256(part).digest())
    return digest.digest()
