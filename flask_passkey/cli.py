"""``flask passkey``: the settings, an account's passkeys, and invitations, from a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta

import click
from flask import current_app
from flask.cli import AppGroup

from . import advisories
from .credentials import INVITATION, RECOVERY_CODE
from .encoding import base64url_encode
from .errors import ConfigurationError, Refusal
from .state import State, current
from .web.cookies import missing_lines
from .web.schemas import known_id

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
    """Print the settings in force, try both stores, count accounts that are gone in the app, and warn of holes."""
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
        click.echo(_report_of_orphans(state, None if all_accounts else _LOOKED_AT))
    for warning in advisories.warnings(advisories.installed_versions()):
        click.echo(f"WARNING: {warning}")


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
    """Print the passkeys of one account, one a line, and the invitations and codes that were not used yet."""
    with _state() as state:
        records = state.relying_party.credentials.of_user(user_id)
        grants = state.relying_party.grants.of_user(user_id)
    for record in records:
        used = record.last_used_at.isoformat(timespec="seconds") if record.last_used_at else "never"
        click.echo(f"{base64url_encode(record.id)}  {record.label!r}  used {used}")
    for grant in grants:
        made = grant.created_at.isoformat(timespec="seconds")
        until = f", good until {grant.expires_at.isoformat(timespec='seconds')}" if grant.expires_at else ""
        click.echo(f"{grant.kind}  made {made}  not used yet{until}")


# An id may begin with a dash.
@passkey.command("delete", context_settings={"ignore_unknown_options": True})
@click.argument("user_id")
@click.argument("passkey_id")
@click.confirmation_option(prompt="Delete this passkey?")
def delete(user_id: str, passkey_id: str) -> None:
    """Delete one passkey of one account, also the last one. "list" prints their ids."""
    with _state() as state:
        state.relying_party.delete_of(user_id, known_id(passkey_id))
    click.echo("Deleted.")


@passkey.command("invite")
@click.argument("user_id")
@click.option("--lifetime", type=click.IntRange(1, 8760), default=24, help="In hours; 24 by default.")
@click.option("--url", help="The page that takes the link; PASSKEY_ENROL_URL by default.")
def invite(user_id: str, lifetime: int, url: str | None) -> None:
    """Print a one-time link that lets its bearer add one passkey to an account. Give it to nobody else.

    Without an address of the page for it, the bare token is printed.
    """
    with _state() as state:
        user, _ = state.accounts.load(user_id)
        page = state.config.enrol_url if url is None else url
        invitation = state.relying_party.grants.invite(user, lifetime=timedelta(hours=lifetime), page=page)
    click.echo(invitation.url or invitation.token)
    until = invitation.expires_at.isoformat(timespec="seconds")
    click.echo(f"For {invitation.info.name!r}, good once, until {until}.", err=True)


@passkey.command("withdraw")
@click.argument("user_id")
@click.option("--kind", type=click.Choice([INVITATION, RECOVERY_CODE]), help="Only links, or only recovery codes.")
def withdraw(user_id: str, kind: str | None) -> None:
    """Take back the links and recovery codes of one account that were not used yet."""
    with _state() as state:
        user = state.accounts.get(user_id)
        if user is None:
            raise click.ClickException("The app has no user with this id.")
        count = state.relying_party.grants.withdraw(user, kind=kind)
    click.echo(f"Withdrew {count}.")


@passkey.command("forget")
@click.argument("user_id")
@click.confirmation_option(prompt="Delete all passkeys of this account?")
def forget(user_id: str) -> None:
    """Delete all passkeys, links and recovery codes of one account."""
    with _state() as state:
        count = len(state.relying_party.credentials.of_user(user_id))
        state.relying_party.forget_user(user_id)
    click.echo(f"Deleted {count}.")
