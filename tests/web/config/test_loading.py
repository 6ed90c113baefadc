"""Reading a web config file with the files that it names: all of it is used, or nothing."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.web.config.loading import load
from exporter.web.config.model import InvalidWebConfig, RateLimit, WebConfig
from tests.web.certificates import Certificates, write_web_config

HASH = "$2y$10$1LbWeACFW6nv/lDmmwsvTeQN2P9K/rEn2PlbKfQN/ZrILk2yP3VI2"
MUTUAL = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def faults(path: Path) -> list[str]:
    """What is wrong with a file, without the folder's name."""
    with pytest.raises(InvalidWebConfig) as error:
        load(path)
    return [fault.replace(f"{path.parent}/", "") for fault in error.value.faults]


def context(path: Path) -> ssl.SSLContext:
    security = load(path).security
    assert security
    return security.context


def test_a_file_with_everything_is_read_into_what_the_server_uses(certificates: Certificates) -> None:
    path = write_web_config(
        certificates.folder,
        f"{MUTUAL}basic_auth_users: {{alice: {HASH}}}\nrate_limit: {{interval: 2s, burst: 3}}\n"
        "http_server_config: {http2: true, headers: {X-Frame-Options: deny, X-XSS-Protection: ''}}\n",
    )

    config = load(path)

    assert {"alice": HASH} == config.users
    assert ((b"x-frame-options", b"deny"),) == config.headers
    assert RateLimit(2, 3) == config.rate_limit
    assert config.http2_wanted
    assert [path, *(certificates.folder / name for name in ("server.pem", "server.key", "ca.pem"))] == list(
        config.files
    )


@pytest.mark.parametrize(
    ("text", "is_guarded"),
    [
        ("", False),
        (f"basic_auth_users: {{alice: {HASH}}}\n", True),
        (MUTUAL, True),
        (MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"), False),
    ],
)
def test_whether_clients_have_to_show_who_they_are(certificates: Certificates, text: str, *, is_guarded: bool) -> None:
    assert is_guarded == load(write_web_config(certificates.folder, text)).is_guarded
    assert not WebConfig().is_guarded


def test_the_context_is_what_the_file_asks_for(certificates: Certificates) -> None:
    made = context(
        write_web_config(
            certificates.folder,
            f"{MUTUAL}  min_version: TLS12\n  max_version: TLS12\n"
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
        )
    )

    assert (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2) == (made.minimum_version, made.maximum_version)
    assert ssl.CERT_REQUIRED == made.verify_mode
    chosen = [each["name"] for each in made.get_ciphers() if not each["name"].startswith("TLS_")]
    assert ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"] == chosen
    assert made.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert made.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("curve", ["CurveP256", "CurveP384", "CurveP521", "X25519"])
def test_each_of_go_s_curves_can_be_chosen(certificates: Certificates, curve: str) -> None:
    context(write_web_config(certificates.folder, f"  curve_preferences: [{curve}]\n"))


def test_certificate_and_key_may_stand_in_the_file_itself(certificates: Certificates) -> None:
    def inline(key: str, name: str) -> str:
        return f"  {key}: |\n" + "".join(f"    {line}\n" for line in certificates.text(name).splitlines())

    path = certificates.folder / "web.yml"
    path.write_text("tls_server_config:\n" + inline("cert", "server.pem") + inline("key", "server.key"))

    assert (path,) == load(path).files


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"server.key": "other.key"}, "tls_server_config: the certificate and the key don't belong together"),
        ({"server.pem": "server.key"}, "tls_server_config: the certificate can't be read: no certificate or crl found"),
        ({"server.key": "server.pem"}, "tls_server_config: the key is no private key in PEM"),
        ({"ca.pem": "server.key"}, "tls_server_config: the client CA can't be read: "),
        ({"server.key": "encrypted.key"}, "tls_server_config: the key is encrypted; accepted: one without a password"),
        (
            {"server.pem": ""},
            (
                "tls_server_config.cert_file: 'server.pem' in 'web.yml' line 2: No such file or directory; "
                "accepted: a readable file in PEM"
            ),
        ),
        (
            {"server.key": "/dev"},
            (
                "tls_server_config.key_file: 'server.key' in 'web.yml' line 3: not a regular file; "
                "accepted: a readable file in PEM"
            ),
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused(certificates: Certificates, files: dict[str, str], fault: str) -> None:
    folder = certificates.folder
    certificates.issue("other", "localhost")
    key = load_pem_private_key(certificates.text("server.key").encode(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (folder / "encrypted.key").write_bytes(sealed)
    path = write_web_config(folder, MUTUAL)
    for name, stand_in in files.items():
        (folder / name).unlink()
        if stand_in:
            (folder / name).symlink_to(folder / stand_in)

    (found,) = faults(path)

    assert found.startswith(fault)


def test_a_system_that_has_no_files_in_memory_is_told_apart_from_a_bad_key(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "memfd_create", refuse)

    (found,) = faults(write_web_config(certificates.folder))

    assert "memfd_create" in found
    assert "Operation not permitted" in found


def test_missing_files_are_named_beside_all_other_faults(tmp_path: Path) -> None:
    path = write_web_config(tmp_path, "  colour: red\n")

    assert 3 == len(faults(path))


def test_a_pipe_in_the_place_of_the_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "web.yml")

    assert ["web.config.file: 'web.yml': not a regular file; accepted: a readable YAML file"] == faults(
        tmp_path / "web.yml"
    )


def test_the_context_stays_as_long_as_nothing_of_it_changes(certificates: Certificates) -> None:
    first = load(write_web_config(certificates.folder))

    path = write_web_config(certificates.folder, f"basic_auth_users: {{alice: {HASH}}}\n")
    second = load(path, first)
    certificates.issue("server", "localhost")
    third = load(path, second)

    assert first.security is second.security
    assert second.security is not third.security
