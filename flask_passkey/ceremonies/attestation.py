"""Which models of authenticator may register, where the app cares.

Attestation statements are verified by the library (section 7.1, steps 21 and 22); here is decided what they must
chain to (steps 23 and 24). Without roots and metadata any statement that verifies will do, and none as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from webauthn.helpers import aaguid_to_string, parse_attestation_object
from webauthn.helpers.structs import AttestationObject

from ..config import PasskeyConfig
from ..errors import ResponseRejected
from .responses import quoted

#: Extension in which an attestation certificate names its model (section 8.2.1).
_MODEL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


class Metadata(Protocol):
    """What is known of models of authenticators."""

    def roots(self, aaguid: str) -> Sequence[bytes]:
        """Return the DER certificates that vouch for a model.

        :raises ResponseRejected: the model is unknown or must not be trusted.
        """


@dataclass(frozen=True, slots=True)
class Trust:
    """What attestation statements must chain to."""

    #: DER certificates for each attestation statement format.
    roots: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    metadata: Metadata | None = None

    def __bool__(self) -> bool:
        return bool(self.roots) or self.metadata is not None


def check_model(aaguid: str, config: PasskeyConfig) -> None:
    """Check a model against the app's lists.

    Unless attestation is asked for and trusted, it is the authenticator's own word.

    :raises ResponseRejected: it is denied, or not among the allowed.
    """
    if aaguid in config.denied_aaguids:
        raise ResponseRejected(f"AAGUID {aaguid} is in PASSKEY_DENIED_AAGUIDS")
    if config.allowed_aaguids and aaguid not in config.allowed_aaguids:
        raise ResponseRejected(f"AAGUID {aaguid} is not in PASSKEY_ALLOWED_AAGUIDS")


def trusted_roots(attestation_object: bytes, trust: Trust) -> dict[str, list[bytes]]:
    """Return the roots that the library must chain this statement to: PEM certificates by format.

    :param attestation_object: as it came, in CBOR.
    :raises ResponseRejected: the statement has no certificate, or one that says another model or is not meant for
        attestation, or no root is known.
    """
    if not trust:
        return {}
    try:
        attestation = parse_attestation_object(attestation_object)
        aaguid = _aaguid(attestation)
        leaf = attestation.att_stmt.x5c[0]  # type: ignore[index]
        certificate = x509.load_der_x509_certificate(leaf)
        named, good = _named_model(certificate), attestation.fmt != "packed" or _is_for_attestation(certificate)
    except Exception as exc:  # a verdict on bytes an attacker chose: the library raises builtins as well
        raise ResponseRejected("the attestation has no certificate, and the app wants to know the model") from exc
    if named not in (None, aaguid):
        raise ResponseRejected("the attestation certificate is for another model")
    if not good:
        raise ResponseRejected("the attestation certificate is not one by section 8.2.1")
    return _roots(str(attestation.fmt), aaguid, leaf, trust)


def _is_for_attestation(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate meets section 8.2.1, which the library does not look at.

    Its version is 3, as no other has extensions.
    """
    names = {attribute.oid: attribute.value for attribute in certificate.subject}
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    return (
        names.get(NameOID.ORGANIZATIONAL_UNIT_NAME) == "Authenticator Attestation"
        and {NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME} <= names.keys()
        and not constraints.ca
    )


def _roots(form: str, aaguid: str, leaf: bytes, trust: Trust) -> dict[str, list[bytes]]:
    known = [*trust.roots.get(form, ()), *(trust.metadata.roots(aaguid) if trust.metadata else ())]
    if not known:
        raise ResponseRejected(f"no root is known for attestation of format {quoted(form)}")
    # Metadata may list an attestation certificate itself; then there is nothing left to chain.
    return {} if leaf in known else {form: [_pem(certificate) for certificate in known]}


def _aaguid(attestation: AttestationObject) -> str:
    data = attestation.auth_data.attested_credential_data
    return aaguid_to_string(data.aaguid)  # type: ignore[union-attr]


def _named_model(certificate: x509.Certificate) -> str | None:
    """Return the AAGUID that a certificate names, if it does."""
    try:
        extension = certificate.extensions.get_extension_for_oid(_MODEL)
    except x509.ExtensionNotFound:
        return None
    value: bytes = extension.value.value  # type: ignore[attr-defined]
    return aaguid_to_string(value[-16:])


def _pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
