"""Passkey sign-in for Flask."""

from __future__ import annotations

from .accounts import UserInfo
from .backends import CeremonyBackend
from .config import PasskeyConfig
from .credentials import CredentialRecord, CredentialRepository, MemoryCredentialRepository
from .errors import ConfigurationError, NameTaken, PasskeyError, Refusal
from .extension import Passkey
from .outcomes import Visitor
from .relying_party import RelyingParty
from .sql import SQLCredentialRepository

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
