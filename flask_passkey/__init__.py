"""Passkey sign-in for Flask."""

from __future__ import annotations

from .accounts import UserInfo
from .config import PasskeyConfig
from .credentials import CredentialRecord, CredentialRepository, MemoryCredentialRepository
from .credentials.sql import SQLCredentialRepository, delete_with
from .errors import ConfigurationError, NameTaken, PasskeyError, Refusal
from .extension import Passkey
from .pending import CeremonyStore
from .relying_party import RelyingParty
from .visitor import Visitor

__version__ = "0.1.0"

__all__ = [
    "CeremonyStore",
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
    "delete_with",
]
