"""Attestation: what an authenticator's statement about itself proves, and which models may register.

`W3C WebAuthn Level 3, section 8 <https://www.w3.org/TR/webauthn-3/#sctn-defined-attestation-formats>`_. The
``webauthn`` library verifies everything else of a registration, and never sees a statement: it knows fewer algorithms
and makers than the text, and has roots of its own.
"""

from .anchors import Metadata, Trust
from .assessment import assess, check_model
from .claims import Claim

__all__ = ["Claim", "Metadata", "Trust", "assess", "check_model"]
