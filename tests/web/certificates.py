"""Certificates for the tests, made anew in a folder of theirs."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """An authority, a server's certificate for `localhost`, and clients'.

    Attributes:
        folder: Where the files are: `ca.pem`, `server.pem` and `server.key`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(folder / "ca.pem")
        self.issue("server", "localhost", "127.0.0.1")

    def issue(self, name: str, *identities: str) -> None:
        """Write a certificate and its key to `NAME.pem` and `NAME.key`, in the place of any before."""
        issued = self._authority.issue_cert(*identities)
        self._write(f"{name}.pem", b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self._write(f"{name}.key", issued.private_key_pem.bytes())

    def text(self, name: str) -> str:
        """One of the files."""
        return (self.folder / name).read_text(encoding="ascii")

    def client(self, name: str = "") -> ssl.SSLContext:
        """What a client needs that trusts the authority, and shows a certificate if one is named."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _write(self, name: str, content: bytes) -> None:
        """Put a file in place as a whole, as whoever renews certificates should."""
        new = self.folder / f"{name}.new"
        new.write_bytes(content)
        new.rename(self.folder / name)


def write_web_config(folder: Path, text: str = "") -> Path:
    """Write `web.yml` with the server's certificate, its key and whatever else is given; return its path."""
    path = folder / "web.yml"
    new = folder / "web.yml.new"
    new.write_text(f"tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{text}", encoding="utf-8")
    new.rename(path)
    return path
