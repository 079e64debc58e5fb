"""``flask passkey``: look at the settings, and at an account's passkeys, from a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import click
from flask import current_app
from flask.cli import AppGroup

from .encoding import base64url_encode
from .errors import ConfigurationError, Refusal
from .state import State, current

#: As many accounts the app is asked for, so that a check has an end, and so many are read at once.
_LOOKED_AT, _BATCH = 10_000, 500

passkey = AppGroup("passkey", help="Passkeys: settings, stores, and an account's passkeys.")


@contextmanager
def _state() -> Iterator[State]:
    """Give the app's state, and end with a message where there is none or a store is down."""
    if "passkey" not in current_app.extensions:
        raise click.ClickException(f"{current_app.name} has no Passkey extension: call Passkey(app).")
    try:
        yield current()
    except ConfigurationError as exc:
        raise click.ClickException(str(exc)) from exc
    except Refusal as refusal:
        raise click.ClickException(refusal.reason) from refusal


@passkey.command("check")
@click.option("--all-accounts", is_flag=True, help=f"Look for all accounts in the app, not only for {_LOOKED_AT:,}.")
def check(all_accounts: bool) -> None:
    """Print the settings in force, try both stores, and count accounts that are gone in the app."""
    with _state() as state:
        for field in fields(state.config):
            # What is not to be shown, the database's password, is not in the settings' representation either.
            value = repr(getattr(state.config, field.name)) if field.repr else "…"
            click.echo(f"PASSKEY_{field.name.upper()} = {value}")
        state.relying_party.credentials.get(b"\0")
        state.relying_party.try_ceremony_store()
        click.echo("Both stores answer.")
        click.echo(_report_of_orphans(state, None if all_accounts else _LOOKED_AT))


def _report_of_orphans(state: State, most: int | None) -> str:
    """Count accounts that have passkeys here and are gone in the app, by batches."""
    seen, orphans, after = 0, [], ""
    while most is None or seen < most:
        batch = state.relying_party.credentials.user_ids(after=after, limit=_BATCH)
        orphans += [user_id for user_id in batch if not state.accounts.exists(user_id)]
        seen += len(batch)
        if len(batch) < _BATCH:
            break
        after = batch[-1]
    if not orphans:
        return f"Accounts with passkeys that the app does not have: none of {seen}."
    return (
        f"Accounts with passkeys that the app does not have: {len(orphans)} of {seen}, {orphans[0]!r} among them. Who "
        "gets such an id inherits the passkeys: call passkey.forget_user(id) where the app deletes an account, and now "
        "`flask passkey forget ID`."
    )


@passkey.command("list")
@click.argument("user_id")
def list_passkeys(user_id: str) -> None:
    """Print the passkeys of one account, one a line."""
    with _state() as state:
        records = state.relying_party.credentials.of_user(user_id)
    for record in records:
        used = record.last_used_at.isoformat(timespec="seconds") if record.last_used_at else "never"
        click.echo(f"{base64url_encode(record.id)}  {record.label!r}  used {used}")


@passkey.command("forget")
@click.argument("user_id")
@click.confirmation_option(prompt="Delete all passkeys of this account?")
def forget(user_id: str) -> None:
    """Delete all passkeys of one account."""
    with _state() as state:
        count = len(state.relying_party.credentials.of_user(user_id))
        state.relying_party.forget_user(user_id)
    click.echo(f"Deleted {count}.")
