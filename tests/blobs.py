"""A make-believe FIDO metadata service: entries, and blobs that it signs."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from makers import Party, certified, sign

from flask_passkey.testing import VirtualAuthenticator, b64url_encode

HOST = "mds.fidoalliance.org"
#: COSE numbers of the algorithms of JWS.
ALGORITHMS = {"ES256": -7, "ES384": -35, "ES512": -36, "RS256": -257, "RS384": -258, "RS512": -259, "PS256": -37}
ALGORITHMS |= {"PS384": -38, "PS512": -39, "EdDSA": -8}


def host(name: str) -> x509.Name:
    """Return the subject of a web server's certificate."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def raw(signature: bytes, half: int) -> bytes:
    """Return the signature of ECDSA as a JWS has it."""
    return b"".join(number.to_bytes(half, "big") for number in decode_dss_signature(signature))


def text(data: bytes) -> str:
    """Return bytes as JSON has them in metadata."""
    return base64.b64encode(data).decode()


class MetadataService:
    """Signs blobs of metadata, as the FIDO Alliance does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = certified("root")
        self.signer = certified("", self.root, ca=False, subject=host(HOST))
        #: Sent along with the signer's certificate.
        self.others: Sequence[Party] = ()
        self.algorithm = "ES256"
        #: Members of the header, in place of the right ones.
        self.header: dict[str, Any] = {}

    def config(self, *entries: dict[str, Any], next_update: str = "2999-01-01", **changes: Any) -> dict[str, Any]:
        """Write a blob with these entries and return settings that use it."""
        chain = [text(party.der) for party in (self.signer, *self.others)]
        header = {"alg": self.algorithm, "typ": "JWT", "x5c": chain} | self.header
        payload = {"legalHeader": "", "no": 1, "nextUpdate": next_update, "entries": entries} | changes
        message = ".".join(b64url_encode(json.dumps(part).encode()) for part in (header, payload))
        self.blob.write_text(f"{message}.{b64url_encode(self.sign(message.encode()))}\n")
        (self.folder / "root.crt").write_bytes(self.root.certificate.public_bytes(Encoding.DER))
        files = {"PASSKEY_MDS_FILE": str(self.blob), "PASSKEY_MDS_ROOT": str(self.folder / "root.crt")}
        return {"PASSKEY_ATTESTATION": "direct", **files}

    @property
    def blob(self) -> Path:
        """The file of the blob."""
        return self.folder / "blob.jwt"

    def sign(self, message: bytes) -> bytes:
        """Sign as a JWS is signed."""
        key = self.signer.key
        signature = sign(key, message, ALGORITHMS[self.algorithm])
        elliptic = isinstance(key, ec.EllipticCurvePrivateKey)
        return raw(signature, (key.key_size + 7) // 8) if elliptic else signature


def entry(authenticator: VirtualAuthenticator, *statuses: str) -> dict[str, Any]:
    """Return the metadata of an authenticator's model."""
    root = x509.load_pem_x509_certificate(authenticator.attestation_root).public_bytes(Encoding.DER)
    statement = {
        "description": "Virtual authenticator", "authenticatorVersion": 1, "schema": 3, "upv": [],
        "attestationTypes": ["basic_full"], "userVerificationDetails": [], "keyProtection": [], "matcherProtection": [],
        "attachmentHint": [], "tcDisplay": [], "attestationRootCertificates": [text(root)],
    }  # fmt: skip
    reports = [{"status": status, "effectiveDate": "2026-01-01"} for status in statuses]
    return {
        "aaguid": authenticator.aaguid, "metadataStatement": statement, "statusReports": reports,
        "timeOfLastStatusChange": "2026-01-01",
    }  # fmt: skip
