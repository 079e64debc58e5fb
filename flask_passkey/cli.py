"""``flask passkey``: look at the settings, and at an account's passkeys, from a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import click
from flask import current_app
from flask.cli import AppGroup

from . import advisories
from .encoding import base64url_encode
from .errors import ConfigurationError, Refusal
from .state import State, current
from .web.cookies import missing_lines

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
def check() -> None:
    """Print the settings in force, try both stores, and warn of known holes in the libraries installed."""
    with _state() as state:
        for field in fields(state.config):
            # What is not to be shown, the database's password, is not in the settings' representation either.
            value = repr(getattr(state.config, field.name)) if field.repr else "…"
            click.echo(f"PASSKEY_{field.name.upper()} = {value}")
        for line in missing_lines(current_app.config, state.config):
            click.echo(f"Missing, for the session's cookie on https: {line}")
        state.relying_party.credentials.get(b"\0")
        state.relying_party.try_ceremony_store()
    click.echo("Both stores answer.")
    for warning in advisories.warnings(advisories.installed_versions()):
        click.echo(f"WARNING: {warning}")


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
