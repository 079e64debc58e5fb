"""Passkeys from other libraries and servers: read, checked, and stored with their user handles and counters.

.. code-block:: text

    run.py         the use case: accounts, batches
    report.py      what became of every row
    records.py     from a peer's passkey to a credential record
    source.py      the peer's database or export
    base.py        the plain value between them, and how a row is read
    and one module a peer
"""

from __future__ import annotations

from . import better_auth, cloudreve, django_allauth, django_otp_webauthn, flask_security, simplewebauthn
from .base import ImportedCredential, Peer, Row, Source, Unusable
from .report import Report
from .run import Importer
from .source import open_source

#: By the name that ``flask passkey import --from`` takes.
PEERS: dict[str, Peer] = {
    "flask-security": flask_security.PEER,
    "django-otp-webauthn": django_otp_webauthn.PEER,
    "django-allauth": django_allauth.PEER,
    "simplewebauthn": simplewebauthn.PEER,
    "better-auth": better_auth.PEER,
    "cloudreve": cloudreve.PEER,
}

__all__ = ["PEERS", "ImportedCredential", "Importer", "Peer", "Report", "Row", "Source", "Unusable", "open_source"]
