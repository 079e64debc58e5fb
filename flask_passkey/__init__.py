"""Passkey sign-in for Flask."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .accounts import UserInfo
from .config import PasskeyConfig, android_origin
from .credentials import CredentialRecord, CredentialRepository, GrantRecord, GrantRepository
from .errors import ConfigurationError, NameTaken, PasskeyError, Refusal
from .extension import Passkey
from .grants import Invitation
from .outcomes import Registered, SignedIn
from .pending import CeremonyStore
from .relying_party import RelyingParty
from .visitor import Visitor

if TYPE_CHECKING:
    from .credentials.memory import MemoryCredentialRepository
    from .credentials.sql import SQLCredentialRepository, add_tables_to, delete_with, metadata
else:
    _LATER = {"MemoryCredentialRepository": "memory"} | dict.fromkeys(
        ("SQLCredentialRepository", "add_tables_to", "delete_with", "metadata"), "sql"
    )

    def __getattr__(name: str) -> Any:
        """Import a repository when it is asked for: SQLAlchemy takes as long as all else together."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.credentials.{_LATER[name]}"), name)


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
