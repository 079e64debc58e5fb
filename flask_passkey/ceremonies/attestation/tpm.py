"""What a TPM says of a key that it holds: section 8.3 of `W3C WebAuthn Level 3
<https://www.w3.org/TR/webauthn-3/#sctn-tpm-attestation>`_.

The structures are those of the `Trusted Platform Module Library, part 2
<https://trustedcomputinggroup.org/resource/tpm-library-specification/>`_.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from ...errors import ResponseRejected
from ..signatures import check_signature, digest
from .certificates import extension
from .claims import Claim

_GENERATED, _CERTIFY = b"\xffTCG", b"\x80\x17"  # TPM_GENERATED_VALUE, TPM_ST_ATTEST_CERTIFY
_AIK = x509.ObjectIdentifier("2.23.133.8.3")
#: Maker, model and version of a TPM, in the alternative name of its certificate.
_NAMES = {x509.ObjectIdentifier(f"2.23.133.2.{number}") for number in (1, 2, 3)}

# Numbers of the TPM, two bytes each.
_RSA, _ECC, _NULL = b"\0\x01", b"\0\x23", b"\0\x10"
_ECDAA, _RSAES = b"\0\x1a", b"\0\x15"
_CURVES: dict[bytes, ec.EllipticCurve] = {
    b"\0\x03": ec.SECP256R1(),
    b"\0\x04": ec.SECP384R1(),
    b"\0\x05": ec.SECP521R1(),
}
_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    b"\0\x04": hashes.SHA1(),
    b"\0\x0b": hashes.SHA256(),
    b"\0\x0c": hashes.SHA384(),
    b"\0\x0d": hashes.SHA512(),
}


def check(claim: Claim, certificate: x509.Certificate, credential_key: PublicKeyTypes) -> None:
    """Check that a TPM holds the key of a passkey, and says so for this ceremony.

    :raises ResponseRejected: it does not.
    :raises ValueError: a structure is not one of a TPM.
    """
    statement = claim.statement
    if statement["ver"] != "2.0":
        raise ResponseRejected("the statement is not of TPM 2.0")
    if _key(statement["pubArea"]) != credential_key:
        raise ResponseRejected("pubArea is about another key than the passkey's")
    extra_data, name = _certified(statement["certInfo"])
    if extra_data != digest(statement["alg"], claim.signed):
        raise ResponseRejected("certInfo was made for another ceremony")
    if name != _name(statement["pubArea"]):
        raise ResponseRejected("certInfo is about another key than pubArea")
    check_signature(certificate.public_key(), statement["alg"], statement["sig"], statement["certInfo"])
    if not _is_of_a_tpm(certificate):
        raise ResponseRejected("the attestation certificate is not one by section 8.3.1")


class _Reader:
    """Takes bytes from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """Return so many bytes."""
        self._at += count
        if self._at > len(self._data):
            raise ValueError("a structure of the TPM is cut off")
        return self._data[self._at - count : self._at]

    def sized(self) -> bytes:
        """Return the bytes behind their length, which takes two."""
        return self.take(int.from_bytes(self.take(2), "big"))

    def end(self) -> None:
        """Check that all is taken."""
        if self._at != len(self._data):
            raise ValueError("something is left over behind a structure of the TPM")


def _certified(cert_info: bytes) -> tuple[bytes, bytes]:
    """Read a TPMS_ATTEST: what was to be signed along, and the name of the key that it is about."""
    reader = _Reader(cert_info)
    if reader.take(4) != _GENERATED or reader.take(2) != _CERTIFY:
        raise ResponseRejected("certInfo does not certify a key")
    reader.sized()  # qualifiedSigner
    extra_data = reader.sized()
    reader.take(17 + 8)  # clockInfo, firmwareVersion
    name = reader.sized()
    reader.sized()  # qualifiedName
    reader.end()
    return extra_data, name


def _key(pub_area: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """Read a TPMT_PUBLIC."""
    reader = _Reader(pub_area)
    kind = reader.take(2)
    reader.take(2 + 4)  # nameAlg, objectAttributes
    reader.sized()  # authPolicy
    _skip(reader, 4)  # symmetric: bits and mode
    scheme = reader.take(2)
    reader.take({_NULL: 0, _RSAES: 0, _ECDAA: 4}.get(scheme, 2))  # mostly a hash
    if kind not in (_RSA, _ECC):
        raise ResponseRejected("pubArea is neither of an RSA nor of an EC key")
    key = _rsa_key(reader) if kind == _RSA else _ec_key(reader)
    reader.end()
    return key


def _rsa_key(reader: _Reader) -> rsa.RSAPublicKey:
    reader.take(2)  # keyBits
    exponent = int.from_bytes(reader.take(4), "big") or 65537
    return rsa.RSAPublicNumbers(exponent, int.from_bytes(reader.sized(), "big")).public_key()


def _ec_key(reader: _Reader) -> ec.EllipticCurvePublicKey:
    curve = _CURVES.get(reader.take(2))
    if curve is None:
        raise ResponseRejected("pubArea is of a key on another curve than passkeys are on")
    _skip(reader, 2)  # kdf: a hash
    x, y = (int.from_bytes(reader.sized(), "big") for _ in range(2))
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()


def _skip(reader: _Reader, count: int) -> None:
    """Read an algorithm, and its details if it is one."""
    if reader.take(2) != _NULL:
        reader.take(count)


def _name(pub_area: bytes) -> bytes:
    """Return the name of a key: the number of a hash, and this hash of its public area (part 1, section 16)."""
    algorithm = pub_area[2:4]
    hashed = hashes.Hash(_HASHES[algorithm])
    hashed.update(pub_area)
    return algorithm + hashed.finalize()


def _is_of_a_tpm(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate meets section 8.3.1. Its version is 3, as no other has extensions."""
    names = extension(certificate, x509.SubjectAlternativeName)
    usages = extension(certificate, x509.ExtendedKeyUsage)
    constraints = extension(certificate, x509.BasicConstraints)
    directories = names.get_values_for_type(x509.DirectoryName) if names else []
    said = {attribute.oid for directory in directories for attribute in directory if attribute.value}
    return (
        not list(certificate.subject)
        and said >= _NAMES
        and usages is not None
        and _AIK in usages
        and constraints is not None
        and not constraints.ca
    )
