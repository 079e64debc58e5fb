"""Certificates: what they say, and whether they lead to one that is trusted.

`RFC 5280, section 6 <https://www.rfc-editor.org/rfc/rfc5280#section-6>`_. Paths are built here as authenticators send
the certificates of a path without the last one, or with an old one of the same name and key, and as an app may trust
any certificate of a path, which need not be a root.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from ..signatures import is_strong

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

#: More than any authenticator sends; the time to find a path grows with the square.
MOST_CERTIFICATES = 12

# What a critical extension may be, as it is looked at here, or in the format's procedure, or any value is accepted.
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """Return the value of an extension, if a certificate has it."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def raw_extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> x509.Extension[Any] | None:
    """Return an extension whose value nobody but us understands, if a certificate has it."""
    try:
        return certificate.extensions.get_extension_for_oid(oid)
    except x509.ExtensionNotFound:
        return None


def loaded(certificates: Sequence[bytes]) -> list[x509.Certificate]:
    """Return certificates in DER, without those that cannot be read, which can vouch for nothing."""
    return [certificate for data in certificates if (certificate := _load(data)) is not None]


def _load(data: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.subject, certificate.issuer, certificate.extensions  # which are read, and refused, only now
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    return certificate


def has_path(certificates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], *, now: datetime) -> bool:
    """Tell whether the first certificate leads to a trust anchor, through any of the others.

    An anchor is a name and a key that the app trusts (6.1.1 d), so its dates do not count. Whether it may issue, and
    how long a path, does: one that is no CA vouches for itself only.

    :param now: the time at which the path must be valid; aware.
    """
    leaf, *others = certificates[:MOST_CERTIFICATES]
    if not is_strong(leaf.public_key()):
        return False
    if leaf in anchors:
        return True
    unused = [other for other in others if other.version != x509.Version.v1 and _is_acceptable(other, now)]
    # Each with the number of CAs from it down to the leaf. Short paths come first: what they can't reach, others can't.
    waiting = deque([(leaf, 0)] if _is_acceptable(leaf, now) else ())
    while waiting:
        certificate, depth = waiting.popleft()
        if any(_has_issued(anchor, certificate) and _may_issue(anchor, depth) for anchor in anchors):
            return True
        found = [other for other in unused if _has_issued(other, certificate) and _may_issue(other, depth)]
        unused = [other for other in unused if other not in found]
        for other in found:
            if other.subject == other.issuer:  # such a one does not count (6.1.4 l)
                waiting.appendleft((other, depth))
            else:
                waiting.append((other, depth + 1))
    return False


def _is_acceptable(certificate: x509.Certificate, now: datetime) -> bool:
    """Check a certificate by itself (6.1.3 a 2; 6.1.4 o; 6.1.5 f).

    Nobody who vouches for authenticators limits names, so limits are not worked out but refused.
    """
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    limits_names = extension(certificate, x509.NameConstraints) is not None
    return not limits_names and all(item.oid in _UNDERSTOOD for item in certificate.extensions if item.critical)


def _may_issue(certificate: x509.Certificate, depth: int) -> bool:
    """Tell whether a certificate is that of a CA which may have so many below it (6.1.4 k to n)."""
    if certificate.version == x509.Version.v1:  # an anchor, from a time when there was no way to say so
        return certificate.subject == certificate.issuer
    constraints, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca or not (usage is None or usage.key_cert_sign):
        return False
    return constraints.path_length is None or depth <= constraints.path_length


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Compare the names and verify the signature (6.1.3 a 1 and 4).

    Names are compared by their text, as a new certificate of a CA may encode it in another way than the old one.
    """
    if issuer.subject != certificate.issuer:
        return False
    try:
        _verify(issuer, certificate)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
        return False
    return is_strong(issuer.public_key())


def _verify(issuer: x509.Certificate, certificate: x509.Certificate) -> None:
    key: Any = issuer.public_key()
    given = (certificate.signature, certificate.tbs_certificate_bytes)
    parameters: Any = certificate.signature_algorithm_parameters
    if isinstance(key, rsa.RSAPublicKey):
        digest: Any = certificate.signature_hash_algorithm
        key.verify(*given, parameters, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(*given, parameters)
    else:
        key.verify(*given)
