"""Both stores by a real round trip, and whether all processes of the app share them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from secrets import token_bytes, token_urlsafe

from ..credentials import CredentialRepository
from ..credentials.memory import MemoryCredentialRepository
from ..credentials.sql import SQLCredentialRepository
from ..credentials.sql.inspection import is_in_memory, place_of
from ..errors import ConfigurationError, Misconfigured, Refusal
from ..pending import CeremonyStore
from ..pending.memory import SimpleCacheStore
from ..state import State
from .findings import Finding, error, from_error, warning
from .settings import is_public

_DATABASE = "PASSKEY_DATABASE_URI = 'postgresql+psycopg://user:password@host/database'"
_SHARED = (
    'SESSION_TYPE = "redis" and SESSION_REDIS = Redis.from_url("redis://…", socket_timeout=5); on one machine '
    'SESSION_TYPE = "cachelib" and SESSION_CACHELIB = FileSystemCache("/var/lib/app/sessions", threshold=0)'
)


class _Undo(Exception):
    """Rolls a transaction back."""


def places(state: State) -> dict[str, str]:
    """Return where credentials and pending ceremonies are, without a password or a user of a database."""
    repository = state.relying_party.credentials
    found = {"Credentials": f"{type(repository).__qualname__}{_where(repository)}"}
    try:
        return found | {"Pending ceremonies": type(state.relying_party.ceremony_store).__qualname__}
    except ConfigurationError:
        return found


def _where(repository: CredentialRepository) -> str:
    if not isinstance(repository, SQLCredentialRepository):
        return ""
    try:
        return f" on {place_of(repository.url)}"
    except Exception:  # where each tenant has a database, the app's session may need a request
        return " on what a request decides"


def check_credentials(state: State) -> Iterator[Finding]:
    """Write an account and read it in a transaction that is rolled back, and look what is left."""
    repository = state.relying_party.credentials
    user_id, handle = f"flask-passkey-check-{token_urlsafe(16)}", token_bytes(64)
    try:
        found = _write_and_undo(repository, user_id, handle)
        left = repository.get_user_handle(user_id)
        if left is not None:
            repository.delete_user(user_id)
    except Refusal as refusal:
        yield _of_refusal(repository, refusal)
        return
    if found != handle:
        yield error(
            "stores.credentials-lost",
            "The credential repository does not return in a transaction what was written there.",
            "flask_passkey.contracts.CredentialRepositoryContract, as a test of the repository",
        )
    if left is not None:
        yield error(
            "stores.credentials-no-rollback",
            "The credential repository keeps what was written in a transaction that failed: a sign-up that fails leaves"
            " an account behind.",
            "ENGINE=InnoDB for the tables, or flask_passkey.contracts.CredentialRepositoryContract as a test of a "
            "repository of yours",
        )


def _write_and_undo(repository: CredentialRepository, user_id: str, handle: bytes) -> bytes | None:
    try:
        with repository.transaction():
            repository.add_user(user_id, handle)
            found = repository.get_user_handle(user_id)
            raise _Undo
    except _Undo:
        return found


def _of_refusal(repository: CredentialRepository, refusal: Refusal) -> Finding:
    if isinstance(refusal, Misconfigured):
        return error(
            "stores.credentials-refused", f"Credentials cannot be written: {refusal.reason}.", _rights(repository)
        )
    return error(
        "stores.credentials-unavailable",
        f"The store of the credentials does not answer: {refusal.reason}.",
        f"{_DATABASE}: start the database, or correct its address",
    )


def _rights(repository: CredentialRepository) -> str:
    """Return what lets the app write."""
    if not isinstance(repository, SQLCredentialRepository):
        return "a credential repository that passes flask_passkey.contracts.CredentialRepositoryContract"
    if repository.url.get_backend_name() == "sqlite":
        return f"chmod u+w {repository.url.database}, and its folder, for the app's user; no mode=ro in the URL"
    tables = "passkey_user, passkey_credential, passkey_grant, passkey_ceremony"
    return f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO the user of PASSKEY_DATABASE_URI;"


def check_ceremonies(state: State) -> Iterator[Finding]:
    """Put a record, take it, and try to take it again."""
    try:
        store = state.relying_party.ceremony_store
        yield from _take_twice(store)
    except ConfigurationError as exc:
        yield from_error("stores.ceremonies-refused", exc)
    except Misconfigured as refusal:
        yield error(
            "stores.ceremonies-refused",
            f"Pending ceremonies cannot be written: {refusal.reason}.",
            "the rights to write, and a store of a release that docs/howto/stores.md names",
        )
    except Refusal as refusal:
        yield error(
            "stores.ceremonies-unavailable",
            f"The store of pending ceremonies does not answer: {refusal.reason}.",
            'SESSION_REDIS = Redis.from_url("redis://…", socket_timeout=5), or what your SESSION_TYPE has instead: '
            "start the store, or correct its address",
        )


def _take_twice(store: CeremonyStore) -> Iterator[Finding]:
    key, value = token_urlsafe(32), token_bytes(32)
    store.put(key, value, lifetime=60)
    first, second = store.claim(key), store.claim(key)
    if first != value:
        yield error(
            "stores.ceremonies-lost",
            "The store of pending ceremonies does not return what was put into it: no sign-in can be finished.",
            "flask_passkey.contracts.CeremonyStoreContract, as a test of a store of yours; maxmemory-policy noeviction "
            "in Redis",
        )
    if second is not None:
        yield error(
            "stores.ceremonies-twice",
            "The store of pending ceremonies gives a record out twice: a sign-in can be repeated by a thief.",
            "flask_passkey.contracts.CeremonyStoreContract, as a test of the store",
        )


def check_shared(state: State) -> Iterator[Finding]:
    """Look for what is in the memory of one process, where others have it not."""
    workers, public = _workers(), is_public(state.config)
    many = f"{workers} processes are asked for, and each has" if workers > 1 else "each process has"
    if _is_in_memory(state.relying_party.credentials) and (workers > 1 or public):
        yield error(
            "stores.credentials-memory",
            f"Passkeys are kept in memory: {many} its own, and all are lost at a restart.",
            _DATABASE,
        )
    try:
        store = state.relying_party.ceremony_store
    except ConfigurationError:  # told elsewhere
        return
    if isinstance(store, SimpleCacheStore) and (workers > 1 or public):
        kind = error if workers > 1 else warning
        yield kind(
            "stores.ceremonies-memory",
            f"Sessions and pending ceremonies are kept in memory: {many} its own, and no other knows them.",
            _SHARED,
        )


def _is_in_memory(repository: CredentialRepository) -> bool:
    if isinstance(repository, SQLCredentialRepository):
        return is_in_memory(repository.url)
    return isinstance(repository, MemoryCredentialRepository)


def _workers() -> int:
    """Return how many processes the environment asks for, as gunicorn, Uvicorn and hosting companies read it."""
    arguments = re.findall(r"(?:^|\s)(?:-w|--workers)[= ]?\s*(\d+)", os.environ.get("GUNICORN_CMD_ARGS", ""))
    numbers = [os.environ.get("WEB_CONCURRENCY", ""), *arguments]
    return max((int(number) for number in numbers if number.isdecimal()), default=1)
