"""What attestation statements must lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field


class Metadata(Protocol):
    """What is known of models of authenticators."""

    def roots(self, aaguid: str) -> Sequence[bytes]:
        """Return the DER certificates that vouch for a model.

        :raises ResponseRejected: the model is unknown or must not be trusted.
        """


class Trust(Struct, frozen=True):
    """What attestation statements must lead to."""

    #: DER certificates for each attestation statement format. They need not be roots.
    roots: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    metadata: Metadata | None = None

    def __bool__(self) -> bool:
        return bool(self.roots) or self.metadata is not None
