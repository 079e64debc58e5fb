"""``flask passkey``: look at the settings, and at an account's passkeys, from a terminal."""

from __future__ import annotations

from dataclasses import fields

import click
from flask import current_app
from flask.cli import AppGroup

from .ceremonies import base64url
from .errors import Refusal

passkey = AppGroup("passkey", help="Passkeys: settings, stores, and an account's passkeys.")


@passkey.command("check")
def check() -> None:
    """Print the settings in force and try both stores."""
    extension = current_app.extensions["passkey"]
    for field in fields(extension.config):
        click.echo(f"PASSKEY_{field.name.upper()} = {getattr(extension.config, field.name)!r}")
    try:
        extension.credentials.get(b"\0")
        extension.relying_party.try_ceremony_store()
    except Refusal as refusal:
        raise click.ClickException(f"{refusal.reason}: {refusal.__cause__}") from refusal
    click.echo("Both stores answer.")


@passkey.command("list")
@click.argument("user_id")
def list_passkeys(user_id: str) -> None:
    """Print the passkeys of one account, one a line."""
    for record in current_app.extensions["passkey"].credentials.list(user_id):
        used = record.last_used_at.isoformat(timespec="seconds") if record.last_used_at else "never"
        click.echo(f"{base64url.encode(record.id)}  {record.name!r}  used {used}")


@passkey.command("forget")
@click.argument("user_id")
@click.confirmation_option(prompt="Delete all passkeys of this account?")
def forget(user_id: str) -> None:
    """Delete all passkeys of one account."""
    current_app.extensions["passkey"].forget_user(user_id)
