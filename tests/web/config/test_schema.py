"""What a web config file may say: every fault of it is one line that names the key, the line and what is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.web.config.document import parse
from exporter.web.config.schema import File, validate

PATH = Path("/etc/web.yml")
HASH = "$2y$10$1LbWeACFW6nv/lDmmwsvTeQN2P9K/rEn2PlbKfQN/ZrILk2yP3VI2"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
VERIFYING = f"{TLS}  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"


def faults(text: str | bytes) -> list[str]:
    """What is wrong with a file, every line of it without the file's name."""
    document = parse(text if isinstance(text, bytes) else text.encode(), PATH)
    assert validate(document) is None
    return [fault.replace(" in '/etc/web.yml'", "").replace("'/etc/web.yml'", "FILE") for fault in document.faults]


def read(text: str) -> File:
    """A file that is right."""
    document = parse(text.encode(), PATH)
    file = validate(document)
    assert [] == document.faults
    assert file
    return file


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "tls_server_config:\nbasic_auth_users:\n", "{}"])
def test_a_file_that_says_nothing_is_plain_http_for_everybody(text: str) -> None:
    assert File() == read(text)


def test_the_defaults_are_those_of_the_exporter_toolkit() -> None:
    tls = read(TLS).tls_server_config
    assert tls

    assert ("NoClientCert", "TLS12", "TLS13", True) == (
        tls.client_auth_type,
        tls.min_version,
        tls.max_version,
        tls.prefer_server_cipher_suites,
    )
    assert File().http_server_config.http2


def test_every_key_of_the_exporter_toolkit_is_known() -> None:
    file = read(
        """
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: """
        + HASH
        + "\n  007: "
        + HASH
        + """
rate_limit:
  interval: 1m1.5s
  burst: 20
"""
    )

    assert file.tls_server_config
    assert ["prometheus.example", "10.0.0.1"] == file.tls_server_config.client_allowed_sans
    assert "0" == file.http_server_config.headers.x_xss_protection
    assert {"alice": HASH, "007": HASH} == file.basic_auth_users
    assert (61.5, 20) == (file.rate_limit.interval, file.rate_limit.burst)


@pytest.mark.parametrize("zero", ["0", "0s", "0m", "0h0m0s", "0.0s"])
def test_an_interval_of_nothing_is_no_limit_however_it_is_written(zero: str) -> None:
    assert 0 == read(f"rate_limit: {{interval: {zero}}}").rate_limit.interval


def test_certificate_key_and_authority_may_stand_in_the_file_itself() -> None:
    tls = read(
        "tls_server_config: {cert: a, key: b, client_ca: c, client_auth_type: VerifyClientCertIfGiven}"
    ).tls_server_config

    assert tls
    assert ("a", "b", "c") == (tls.cert, tls.key, tls.client_ca)


SSL_VERIFIES = "Python's ssl can't take a certificate without verifying it"
POLICIES = "accepted: NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
OLD = "OpenSSL doesn't offer it at the security level that Python's ssl asks for; accepted: TLS12, TLS13"
SUITES_13 = "Python's ssl can't choose among the suites of TLS 1.3: all of them are on, leave this one out"
HASHES = "accepted: a bcrypt hash such as htpasswd -nBC 10 '' prints"
DURATIONS = "accepted: a duration with its unit, such as 1s, 500ms or 1m30s, up to 24h; 0 for no limit"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        # What Python's ssl can't honour, by name.
        (
            f"{TLS}  client_auth_type: RequestClientCert",
            f"tls_server_config.client_auth_type: 'RequestClientCert' line 4: {SSL_VERIFIES}; {POLICIES}",
        ),
        (
            f"{TLS}  client_auth_type: RequireAnyClientCert",
            f"tls_server_config.client_auth_type: 'RequireAnyClientCert' line 4: {SSL_VERIFIES}; {POLICIES}",
        ),
        (
            f"{TLS}  client_auth_type: requireandverifyclientcert",
            f"tls_server_config.client_auth_type: 'requireandverifyclientcert' line 4: not one of them; {POLICIES}",
        ),
        (f"{TLS}  min_version: TLS10", f"tls_server_config.min_version: 'TLS10' line 4: {OLD}"),
        (f"{TLS}  max_version: TLS11", f"tls_server_config.max_version: 'TLS11' line 4: {OLD}"),
        (
            f"{TLS}  min_version: SSL30",
            "tls_server_config.min_version: 'SSL30' line 4: not one of them; accepted: TLS12, TLS13",
        ),
        (
            f"{TLS}  cipher_suites:\n    - TLS_AES_128_GCM_SHA256",
            f"tls_server_config.cipher_suites.0: 'TLS_AES_128_GCM_SHA256' line 5: {SUITES_13}; accepted: ",
        ),
        (
            f"{TLS}  cipher_suites:\n    - TLS_RSA_WITH_RC4_128_SHA",
            "tls_server_config.cipher_suites.0: 'TLS_RSA_WITH_RC4_128_SHA' line 5: not one of them; accepted: ",
        ),
        (
            f"{TLS}  curve_preferences: [X25519MLKEM768]",
            (
                "tls_server_config.curve_preferences.0: 'X25519MLKEM768' line 4: Python's ssl can't choose it; "
                "accepted: CurveP256, CurveP384, CurveP521, X25519"
            ),
        ),
        # What does not go together.
        (
            "tls_server_config: {key_file: k}",
            "tls_server_config: neither cert nor cert_file line 1; accepted: one of them",
        ),
        (
            "tls_server_config: {cert_file: c}",
            "tls_server_config: neither key nor key_file line 1; accepted: one of them",
        ),
        (f"{TLS}  cert: x", "tls_server_config: both cert and cert_file line 4; accepted: one of them"),
        (f"{TLS}  key: x", "tls_server_config: both key and key_file line 4; accepted: one of them"),
        (
            f"{VERIFYING}  client_ca: x",
            "tls_server_config: both client_ca and client_ca_file line 6; accepted: one of them",
        ),
        (
            f"{TLS}  client_ca_file: ca.pem",
            (
                "tls_server_config: client_ca_file line 4 without a client_auth_type that uses it; "
                "accepted: RequireAndVerifyClientCert"
            ),
        ),
        (
            f"{TLS}  client_auth_type: RequireAndVerifyClientCert",
            (
                "tls_server_config: RequireAndVerifyClientCert line 4 without a client CA; "
                "accepted: with client_ca or client_ca_file"
            ),
        ),
        (
            f"{TLS}  client_allowed_sans: [a]",
            (
                "tls_server_config: client_allowed_sans line 4 without client_auth_type RequireAndVerifyClientCert; "
                "accepted: both"
            ),
        ),
        (
            f"{VERIFYING}  client_allowed_sans: []",
            "tls_server_config: no name in client_allowed_sans line 6, so that no client would pass; accepted: a name",
        ),
        (
            f"{TLS}  min_version: TLS13\n  max_version: TLS12",
            "tls_server_config: max_version line 5 is below min_version; accepted: the same or a later one",
        ),
        (
            "rate_limit: {interval: 1s}",
            "rate_limit: no burst line 1, so that no request would pass; accepted: a burst from 1",
        ),
        (
            "rate_limit: {interval: 1s, burst: 00}",
            "rate_limit: no burst line 1, so that no request would pass; accepted: a burst from 1",
        ),
        # What is no such value.
        (f"{TLS}  http2: true", "unknown key tls_server_config.http2 line 4"),
        (
            "tls_server_confi: {}",
            "unknown key tls_server_confi line 1 (did you mean tls_server_config?)",
        ),
        (
            "http_server_config:\n  headers:\n    Server: mine",
            "unknown key http_server_config.headers.Server line 3",
        ),
        (
            "http_server_config:\n  headers:\n    x-frame-options: deny",
            "unknown key http_server_config.headers.x-frame-options line 3 (did you mean X-Frame-Options?)",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: allow",
            "http_server_config.headers.X-Frame-Options: 'allow' line 3: not one of them; accepted: deny, sameorigin",
        ),
        (
            'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nSet-Cookie: b"',
            (
                "http_server_config.headers.Content-Security-Policy: 'a\\r\\nSet-Cookie: b' line 3: "
                "it holds other characters; accepted: visible ASCII characters and spaces"
            ),
        ),
        (
            'http_server_config: {http2: "true"}',
            "http_server_config.http2: 'true' line 1: neither; accepted: true or false",
        ),
        ("http_server_config: [1]", "http_server_config: not a mapping line 1; accepted: a mapping"),
        (f"{TLS}  cipher_suites: x", "tls_server_config.cipher_suites: not a list line 4; accepted: a list"),
        (
            f"{TLS}  client_ca_file: [x]\n  client_auth_type: VerifyClientCertIfGiven",
            (
                "tls_server_config.client_ca_file: not text line 4; accepted: the path of certificates in PEM, "
                "relative to the folder of this file"
            ),
        ),
        (
            "basic_auth_users:\n  alice: secret",
            f"basic_auth_users.alice: (hidden) line 2: not a bcrypt hash; {HASHES}",
        ),
        (
            f"basic_auth_users:\n  alice: {HASH.replace('$10$', '$40$')}",
            f"basic_auth_users.alice: (hidden) line 2: its cost is not one of bcrypt's, 4 to 31; {HASHES}",
        ),
        (
            f"basic_auth_users:\n  alice: {HASH.replace('$2y$', '$2x$')}",
            f"basic_auth_users.alice: (hidden) line 2: not a bcrypt hash; {HASHES}",
        ),
        (
            f"basic_auth_users:\n  a:b: {HASH}",
            "basic_auth_users: 'a:b' line 2: a client can't send such a name; accepted: no colon in it",
        ),
        (
            "rate_limit:\n  interval: 5\n  burst: 1",
            f"rate_limit.interval: '5' line 2: not a duration with its unit; {DURATIONS}",
        ),
        (
            "rate_limit:\n  interval: -1s\n  burst: 1",
            f"rate_limit.interval: '-1s' line 2: not a duration with its unit; {DURATIONS}",
        ),
        ("rate_limit:\n  interval: 25h\n  burst: 1", f"rate_limit.interval: '25h' line 2: too long; {DURATIONS}"),
        ("rate_limit: {burst: 1.5}", "rate_limit.burst: '1.5' line 1: no such number; accepted: a whole number from 0"),
        # What is no such file.
        (f"{TLS}  cert_file: b", "tls_server_config.cert_file: given twice, in lines 2 and 4"),
        ("a: &x 1\nb: *x", "an alias line 2; accepted: the value written out"),
        ("- a", "FILE holds no mapping; accepted: keys such as tls_server_config"),
        ("just text", "FILE holds no mapping; accepted: keys such as tls_server_config"),
        ("[a]: b", "a key that is no text line 1"),
        ("a: [", "FILE is not YAML: did not find expected node content at line 2, column 1"),
        ("[" * 50, "FILE line 1 is nested too deeply"),
        (b"a: \xff", "FILE is not UTF-8 at byte 3"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_accepted(text: str | bytes, fault: str) -> None:
    found = faults(text)

    assert any(each == fault or (fault.endswith(": ") and each.startswith(fault)) for each in found), found


def test_every_fault_is_named_at_once() -> None:
    found = faults(
        "tls_server_config:\n  cert_file: a\n  min_version: TLS10\n  colour: red\n"
        "basic_auth_users:\n  bob: secret\nx: 1\n"
    )

    assert [
        f"tls_server_config.min_version: 'TLS10' line 3: {OLD}",
        "unknown key tls_server_config.colour line 4",
        f"basic_auth_users.bob: (hidden) line 6: not a bcrypt hash; {HASHES}",
        "unknown key x line 7",
        "tls_server_config: neither key nor key_file line 1; accepted: one of them",
    ] == found


@pytest.mark.parametrize(
    "text",
    [
        "tls_server_config: {cert_file: c, key: hush, key_file: k}",
        "tls_server_config: {cert_file: c, key: [hush]}",
        "basic_auth_users: {alice: hush}",
        "basic_auth_users: {alice: [hush]}",
        "basic_auth_users: [hush]",
        "basic_auth_users: hush",
        "key: hush hush\n  x: y",
    ],
)
def test_a_fault_shows_no_secret(text: str) -> None:
    assert "hush" not in str(faults(text))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others use the machine too
@given(st.binary() | st.text(alphabet="tlsercb_ig:[]{}&*!|>-'\"# \n\t0159,%@`").map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused(content: bytes) -> None:
    document = parse(content, PATH)
    file = validate(document)

    assert (file is None) == bool(document.faults)
    assert all("\n" not in fault for fault in document.faults)


KEYS = st.sampled_from(
    [
        "tls_server_config",
        "cert_file",
        "key",
        "client_auth_type",
        "cipher_suites",
        "headers",
        "rate_limit",
        "interval",
        "http_server_config",
        "basic_auth_users",
        "burst",
        "client_allowed_sans",
        "curve_preferences",
        "min_version",
        "x",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others use the machine too
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_whatever_yaml_a_file_holds_it_is_read_or_refused(tree: dict[str, object]) -> None:
    document = parse(yaml.safe_dump(tree).encode(), PATH)
    file = validate(document)

    assert (file is None) == bool(document.faults)
