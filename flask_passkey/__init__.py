"""Passkey sign-in for Flask."""

from __future__ import annotations

from .accounts import UserInfo
from .config import PasskeyConfig, android_origin
from .credentials import (
    CredentialRecord,
    CredentialRepository,
    GrantRecord,
    GrantRepository,
    MemoryCredentialRepository,
)
from .credentials.sql import SQLCredentialRepository, add_tables_to, delete_with, metadata
from .errors import ConfigurationError, NameTaken, PasskeyError, Refusal
from .extension import Passkey
from .grants import Invitation
from .outcomes import Registered, SignedIn
from .pending import CeremonyStore
from .relying_party import RelyingParty
from .visitor import Visitor

__version__ = "0.1.0"

__all__ = [
    "CeremonyStore",
    "ConfigurationError",
    "CredentialRecord",
    "CredentialRepository",
    "GrantRecord",
    "GrantRepository",
    "Invitation",
    "MemoryCredentialRepository",
    "NameTaken",
    "Passkey",
    "PasskeyConfig",
    "PasskeyError",
    "Refusal",
    "Registered",
    "RelyingParty",
    "SQLCredentialRepository",
    "SignedIn",
    "UserInfo",
    "Visitor",
    "add_tables_to",
    "android_origin",
    "delete_with",
    "metadata",
]
