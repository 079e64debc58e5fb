"""Trust roots and FIDO metadata from files, read once at start-up.

The metadata file is the blob of the `FIDO Metadata Service, version 3
<https://fidoalliance.org/metadata/>`_, which an app downloads on its own schedule; it is read and its signature
verified by python-fido2 (extra ``mds``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .ceremonies.attestation import Trust
from .config import PasskeyConfig
from .errors import ConfigurationError, ResponseRejected

if TYPE_CHECKING:
    from fido2.mds3 import MetadataBlobPayload, MetadataBlobPayloadEntry

log = logging.getLogger(__name__)

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
        from fido2.mds3 import parse_blob
    except ImportError as exc:
        raise ConfigurationError("PASSKEY_MDS_FILE needs python-fido2: pip install 'flask-passkey[mds]'") from exc
    (root,) = _certificates("PASSKEY_MDS_ROOT", [config.mds_root])[:1]
    blob = _read("PASSKEY_MDS_FILE", config.mds_file)
    try:
        payload = parse_blob(blob.strip(), root)
    except Exception as exc:  # whatever the reader thinks of a file that is not what it should be
        raise ConfigurationError(f"PASSKEY_MDS_FILE {config.mds_file!r} was not signed below PASSKEY_MDS_ROOT") from exc
    if payload.next_update < datetime.now(UTC).date():
        log.warning("PASSKEY_MDS_FILE should have been renewed on %s: download it again.", payload.next_update)
    return FIDOMetadata(payload)


class FIDOMetadata:
    """The models of authenticators in a FIDO metadata blob."""

    def __init__(self, payload: MetadataBlobPayload) -> None:
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
