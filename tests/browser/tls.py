"""A certificate for the domains of browser tests, and how Chromium is told to trust it and to find them."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Certificate:
    """A server's certificate, and its key's fingerprint."""

    tls: ssl.SSLContext
    fingerprint: str

    def flags(self, port: int) -> tuple[str, ...]:
        """Return the flags of a Chromium that finds all domains at a port here, and trusts this certificate only."""
        return (
            f"--host-resolver-rules=MAP *.test 127.0.0.1:{port}",
            f"--ignore-certificate-errors-spki-list={self.fingerprint}",
        )


def make_certificate(hosts: Iterable[str], file: Path) -> Certificate:
    """Make a certificate for some domains, signed by itself.

    :param file: where certificate and key are written to.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Flask-Passkey tests")])
    now, day = datetime.now(UTC), timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    draft = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    made = draft.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return Certificate(tls, base64.b64encode(hashlib.sha256(key.public_key().public_bytes(*der)).digest()).decode())
