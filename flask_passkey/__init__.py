"""Passkey sign-in for Flask."""

from __future__ import annotations

from .accounts import UserInfo
from .config import PasskeyConfig
from .credentials import CredentialRecord, CredentialRepository, MemoryCredentialRepository
from .credentials.sql import SQLCredentialRepository
from .errors import ConfigurationError, NameTaken, PasskeyError, Refusal
from .extension import Passkey
from .outcomes import Visitor
from .pending import CeremonyBackend
from .relying_party import RelyingParty

__version__ = "0.1.0"

__all__ = [
    "CeremonyBackend",
    "ConfigurationError",
    "CredentialRecord",
    "CredentialRepository",
    "MemoryCredentialRepository",
    "NameTaken",
    "Passkey",
    "PasskeyConfig",
    "PasskeyError",
    "Refusal",
    "RelyingParty",
    "SQLCredentialRepository",
    "UserInfo",
    "Visitor",
]
