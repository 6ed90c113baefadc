"""Go's names for what TLS can do, and what Python's ssl makes of each: a value of its own, or a reason why not."""

from __future__ import annotations

import ssl

CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
CLIENT_AUTH_REFUSED = {
    "RequestClientCert": "Python's ssl can't take a certificate without verifying it",
    "RequireAnyClientCert": "Python's ssl can't take a certificate without verifying it",
    "RequireClientCert": "Python's ssl can't take a certificate without verifying it",
}

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
VERSIONS_REFUSED = {
    "TLS10": "OpenSSL doesn't offer it at the security level that Python's ssl asks for",
    "TLS11": "OpenSSL doesn't offer it at the security level that Python's ssl asks for",
}

CIPHER_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
CIPHER_SUITES_REFUSED = dict.fromkeys(
    ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
    "Python's ssl can't choose among the suites of TLS 1.3: all of them are on, leave this one out",
)

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
RETRY_CURVES = {"CurveP256": 23, "X25519": 29}
"""The curves that are quick in OpenSSL, which clients as good as never have sent keys of both of; TLS's numbers."""
CURVES_REFUSED = {"X25519MLKEM768": "Python's ssl can't choose it"}
CAN_ORDER_CURVES = hasattr(ssl.SSLContext, "set_groups")
"""Python 3.15 and later; the ones before can set a single curve."""

HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""Headers that may be added to answers, each with the values that it may have; none is any."""
