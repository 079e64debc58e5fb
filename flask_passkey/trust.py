"""Trust roots and FIDO metadata from files, read once at start-up.

The metadata file is the blob of the `FIDO Metadata Service, version 3
<https://fidoalliance.org/metadata/>`_, which an app downloads on its own schedule. Its signature is verified here, as
python-fido2 (extra ``mds``) looks neither at dates nor at names; what was signed is read by python-fido2.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from .ceremonies.attestation import Trust
from .ceremonies.attestation.certificates import extension, has_path
from .ceremonies.signatures import check_signature
from .config import PasskeyConfig
from .encoding import base64url_decode
from .errors import ConfigurationError, ResponseRejected

if TYPE_CHECKING:
    from fido2.mds3 import MetadataBlobPayload, MetadataBlobPayloadEntry

log = logging.getLogger(__name__)

#: Whose certificate signs the metadata.
_SIGNER = "mds.fidoalliance.org"
#: COSE numbers of the algorithms of `RFC 7518, section 3.1 <https://www.rfc-editor.org/rfc/rfc7518#section-3.1>`_ that
#: a public key verifies, and of `RFC 8037 <https://www.rfc-editor.org/rfc/rfc8037>`_.
_JWS = {
    "RS256": -257, "RS384": -258, "RS512": -259, "PS256": -37, "PS384": -38, "PS512": -39,
    "ES256": -7, "ES384": -35, "ES512": -36, "EdDSA": -8,
}  # fmt: skip
_CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}

#: Statuses after which a model's word is worth nothing, whatever was reported before or after.
_COMPROMISED = {
    "REVOKED",
    "USER_VERIFICATION_BYPASS",
    "ATTESTATION_KEY_COMPROMISE",
    "USER_KEY_REMOTE_COMPROMISE",
    "USER_KEY_PHYSICAL_COMPROMISE",
}


def load_trust(config: PasskeyConfig) -> Trust:
    """Read the files that the settings name.

    :raises ConfigurationError: a file cannot be read or is not what it should be.
    """
    key = "PASSKEY_ATTESTATION_ROOTS"
    roots = {form: _certificates(key, paths) for form, paths in config.attestation_roots.items()}
    return Trust(roots, _load_metadata(config) if config.mds_file else None)


def _certificates(key: str, paths: Sequence[str]) -> list[bytes]:
    """Return the certificates in some files, PEM or DER, as DER."""
    return [certificate.public_bytes(Encoding.DER) for path in paths for certificate in _parse(key, path)]


def _parse(key: str, path: str) -> list[x509.Certificate]:
    data = _read(key, path)
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError as exc:
        raise ConfigurationError(f"{key} names {path!r}, which holds no certificate: {exc}") from exc


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{key} names {path!r}, which cannot be read: {exc.strerror}") from exc


def _load_metadata(config: PasskeyConfig) -> FIDOMetadata:
    try:
        from fido2.mds3 import MetadataBlobPayload
    except ImportError as exc:
        raise ConfigurationError("PASSKEY_MDS_FILE needs python-fido2: pip install 'flask-passkey[mds]'") from exc
    roots = _parse("PASSKEY_MDS_ROOT", config.mds_root)
    blob, now = _read("PASSKEY_MDS_FILE", config.mds_file), datetime.now(UTC)
    try:
        payload = MetadataBlobPayload.from_dict(json.loads(_signed(blob.decode("ascii").strip(), roots, now)))
        metadata, is_stale = FIDOMetadata(payload), payload.next_update < now.date()
    except Exception as exc:  # whatever the readers think of a file that is not what it should be
        raise ConfigurationError(f"PASSKEY_MDS_FILE {config.mds_file!r} was not signed below PASSKEY_MDS_ROOT") from exc
    if is_stale:
        _tell_stale(f"PASSKEY_MDS_FILE should have been renewed on {payload.next_update}: download it again", config)
    return metadata


def _tell_stale(problem: str, config: PasskeyConfig) -> None:
    if config.mds_stale == "refuse":
        raise ConfigurationError(f"{problem}, or write PASSKEY_MDS_STALE = 'warn'")
    log.warning("%s.", problem)


def _signed(blob: str, roots: Sequence[x509.Certificate], now: datetime) -> bytes:
    """Return what the metadata service has signed (`RFC 7515, section 5.2
    <https://www.rfc-editor.org/rfc/rfc7515#section-5.2>`_).

    :raises ValueError: the signer's certificate is not the service's, or does not lead to a root.
    """
    message, _, signature = blob.rpartition(".")
    header, _, payload = message.partition(".")
    members = json.loads(base64url_decode(header))
    chain = [x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in members["x5c"]]
    if "crit" in members or not has_path(chain, roots, now=now) or not _is_signer(chain[0]):
        raise ValueError("the certificate of the metadata cannot be trusted")
    _check_jws(chain[0].public_key(), members, base64url_decode(signature), message.encode())
    return base64url_decode(payload)


def _is_signer(certificate: x509.Certificate) -> bool:
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is not None:
        hosts = names.get_values_for_type(x509.DNSName)
    else:
        hosts = [str(item.value) for item in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    return _SIGNER in [host.lower() for host in hosts]


def _check_jws(key: Any, members: Mapping[str, Any], signature: bytes, message: bytes) -> None:
    """Check the signature of a JWS; that of ECDSA is two numbers of the curve's length (RFC 7518, section 3.4)."""
    algorithm = members["alg"]
    if algorithm in _CURVES:
        half = (key.curve.key_size + 7) // 8
        if not isinstance(key.curve, _CURVES[algorithm]) or len(signature) != 2 * half:
            raise ValueError("the signature is not one of its algorithm")
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        signature = encode_dss_signature(r, s)
    check_signature(key, _JWS[algorithm], signature, message)


class FIDOMetadata:
    """The models of authenticators in a FIDO metadata blob."""

    def __init__(self, payload: MetadataBlobPayload) -> None:
        #: When the next one should be there.
        self.next_update = payload.next_update
        self._entries = {str(entry.aaguid): entry for entry in payload.entries if entry.aaguid}

    def roots(self, aaguid: str) -> Sequence[bytes]:
        """Return the certificates that vouch for a model.

        :raises ResponseRejected: it is not in the blob, or a report says that it is compromised.
        """
        entry = self._entries.get(aaguid)
        if entry is None or entry.metadata_statement is None:
            raise ResponseRejected(f"AAGUID {aaguid} is not in PASSKEY_MDS_FILE")
        _check_status(aaguid, entry)
        return entry.metadata_statement.attestation_root_certificates


def _check_status(aaguid: str, entry: MetadataBlobPayloadEntry) -> None:
    for report in entry.status_reports:
        if report.status in _COMPROMISED:
            raise ResponseRejected(f"AAGUID {aaguid} is reported as {report.status}")
