"""``flask passkey``: what is wrong with an app, an account's passkeys, invitations, its routes, from a terminal."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, fields
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from flask import Flask, current_app
from flask.cli import AppGroup, ScriptInfo

from .credentials import INVITATION, RECOVERY_CODE
from .encoding import base64url_encode
from .errors import ConfigurationError, Refusal
from .state import State, current
from .web.schemas import known_id

if TYPE_CHECKING:  # each command imports it, as it imports SQLAlchemy
    from . import doctor
    from .importers import Importer, Report

#: What passkeys can be imported from.
_PEERS = ("better-auth", "cloudreve", "django-allauth", "django-otp-webauthn", "flask-security", "simplewebauthn")
#: As many accounts the app is asked for, so that a check has an end.
_LOOKED_AT = 10_000

#: What to do about a blueprint that the app has registered under a name of ours, by the name.
_RENAME = {
    "passkey": "Passkey(app, blueprint_name='webauthn'), or another name for yours",
    "passkey_pages": "Blueprint('my_pages', …), or another name for yours: this one is the ready pages'",
}

passkey = AppGroup("passkey", help="Passkeys: settings, stores, and an account's passkeys.")


@contextmanager
def _state() -> Iterator[State]:
    """Give the app's state, and end with a message where there is none or a store is down."""
    try:
        _require_extension(current_app)
        yield current()
    except ConfigurationError as exc:
        raise click.ClickException(str(exc)) from exc
    except Refusal as refusal:
        raise click.ClickException(refusal.reason) from refusal


def _all(state: State) -> list[State]:
    """Return the state for each relying party of the app."""
    return [state, *state.others.values()]


@passkey.command("check", with_appcontext=False, epilog="Example: flask passkey check --url https://example.com")
@click.option("--url", help="Where people open the app: https://example.com. It is asked there, too.")
@click.option("--strict", is_flag=True, help="Warnings fail the check, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list, and nothing else.")
@click.option("--all-accounts", is_flag=True, help=f"Look for all accounts in the app, not only for {_LOOKED_AT:,}.")
@click.option("--show-ids", is_flag=True, help="Name the ids of accounts that are gone in the app.")
@click.pass_context
def check(
    context: click.Context, *, url: str | None, strict: bool, as_json: bool, all_accounts: bool, show_ids: bool
) -> None:
    """Look for what is wrong with the app, and print the line that mends it.

    It tries both stores and the sessions, looks at settings, cookies, tables, routes, accounts and releases, and with
    --url asks the app as a browser does. It ends with 1 if there is an error, or with --strict a warning; else with 0.
    """
    from . import doctor

    findings: list[doctor.Finding] = []
    told: list[str] = []
    try:
        app = _app(context)
        with app.app_context():
            state = current()
            most = None if all_accounts else _LOOKED_AT
            findings += doctor.examine(app, state, most_accounts=most, show_ids=show_ids)
            findings += doctor.look(state.config, url) if url else ()
            told = _about(state)
    except ConfigurationError as exc:  # the app does not start
        findings.append(doctor.from_error("settings.refused", exc))
    except ValueError as exc:
        name = next((name for name in _RENAME if f"'{name}'" in str(exc) and "already registered" in str(exc)), None)
        if name is None:
            raise
        told_of = f"The app has a blueprint {name!r} already."
        findings.append(doctor.error("routes.blueprint-name", told_of, _RENAME[name]))
    click.echo(json.dumps([asdict(finding) for finding in findings], indent=2) if as_json else _report(told, findings))
    failing = doctor.SEVERITIES[: 2 if strict else 1]
    context.exit(int(any(finding.severity in failing for finding in findings)))


def _app(context: click.Context) -> Flask:
    """Return the app, which may refuse to start."""
    app = context.ensure_object(ScriptInfo).load_app()
    _require_extension(app)
    return app


def _require_extension(app: Flask) -> None:
    if "passkey" not in app.extensions:
        raise ConfigurationError(
            f"{app.name} has no Passkey extension: call Passkey(app). Write passkey = Passkey(app)"
        )


def _about(state: State) -> list[str]:
    """Return the settings in force, and where things are kept."""
    from . import doctor

    # What is not to be shown, the database's password, is not in the settings' representation either.
    shown = [field.name for field in fields(state.config) if field.repr]
    values = {name: getattr(state.config, name) for name in shown}
    values["origins"] += state.config.origin_tests
    settings = [f"PASSKEY_{name.upper()} = {value!r}" for name, value in values.items()]
    return settings + [f"{what}: {where}" for what, where in doctor.places(state).items()]


def _report(told: list[str], findings: list[doctor.Finding]) -> str:
    """Return the findings by area, the gravest first, and at the end how many there are."""
    from . import doctor

    lines, findings = list(told), sorted(findings, key=lambda finding: doctor.SEVERITIES.index(finding.severity))
    for area in dict.fromkeys(finding.area for finding in findings):
        lines += ["", area.capitalize()]
        for finding in (finding for finding in findings if finding.area == area):
            first, *others = finding.fix.splitlines()
            lines += [f"  {finding.severity.upper()} {finding.id}: {finding.message}", f"    -> {first}"]
            lines += [f"       {line}".rstrip() for line in others]
    counts = Counter(finding.severity for finding in findings)
    total = ", ".join(f"{counts[kind]} {kind}{'s' * (counts[kind] != 1)}" for kind in doctor.SEVERITIES)
    return "\n".join([*lines, "", f"{total}." if findings else "Nothing is wrong, as far as can be seen."])


@passkey.command("list", epilog="Example: flask passkey list 17")
@click.argument("user_id")
def list_passkeys(user_id: str) -> None:
    """Print the passkeys of one account, one a line, and the invitations and codes that were not used yet."""
    with _state() as state:
        records = state.relying_party.credentials.of_user(user_id)
        grants = [grant for each in _all(state) for grant in each.relying_party.grants.of_user(user_id)]
    for record in records:
        used = record.last_used_at.isoformat(timespec="seconds") if record.last_used_at else "never"
        rp_id = f"  for {record.rp_id}" if record.rp_id else ""
        click.echo(f"{base64url_encode(record.id)}  {record.label!r}  used {used}{rp_id}")
    for grant in grants:
        made = grant.created_at.isoformat(timespec="seconds")
        until = f", good until {grant.expires_at.isoformat(timespec='seconds')}" if grant.expires_at else ""
        click.echo(f"{grant.kind}  made {made}  not used yet{until}  for {grant.rp_id}")


@passkey.command(
    "delete",
    context_settings={"ignore_unknown_options": True},  # an id may begin with a dash
    epilog="Example: flask passkey delete 17 mVq1w0tGx3nJcQ",
)
@click.argument("user_id")
@click.argument("passkey_id")
@click.confirmation_option(prompt="Delete this passkey?")
def delete(user_id: str, passkey_id: str) -> None:
    """Delete one passkey of one account, also the last one. "list" prints their ids."""
    with _state() as state:
        state.relying_party.delete_of(user_id, known_id(passkey_id))
    click.echo("Deleted.")


def _for(state: State, rp_id: str | None) -> State:
    """Return the state for an RP ID of the app, or end with a message."""
    found = state if rp_id is None else state.find(rp_id)
    if found is None:
        raise click.ClickException(f"{rp_id!r} is neither PASSKEY_RP_ID nor in PASSKEY_RELYING_PARTIES.")
    return found


@passkey.command("invite", epilog="Example: flask passkey invite 17 --lifetime 2")
@click.argument("user_id")
@click.option("--lifetime", type=click.IntRange(1, 8760), default=24, help="In hours; 24 by default.")
@click.option("--url", help="The page that takes the link; PASSKEY_ENROL_URL by default.")
@click.option("--rp-id", help="The RP ID of the passkey; PASSKEY_RP_ID by default.")
def invite(user_id: str, lifetime: int, url: str | None, rp_id: str | None) -> None:
    """Print a one-time link that lets its bearer add one passkey to an account. Give it to nobody else.

    Without an address of the page for it, the bare token is printed.
    """
    with _state() as first:
        state = _for(first, rp_id)
        user, _ = state.accounts.load(user_id)
        page = state.config.enrol_url if url is None else url
        invitation = state.relying_party.grants.invite(user, lifetime=timedelta(hours=lifetime), page=page)
    click.echo(invitation.url or invitation.token)
    until = invitation.expires_at.isoformat(timespec="seconds")
    click.echo(f"For {invitation.info.name!r}, good once, until {until}.", err=True)


@passkey.command("withdraw", epilog="Example: flask passkey withdraw 17 --kind invitation")
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


@passkey.command("forget", epilog="Example: flask passkey forget 17")
@click.argument("user_id")
@click.confirmation_option(prompt="Delete all passkeys of this account?")
def forget(user_id: str) -> None:
    """Delete all passkeys, links and recovery codes of one account."""
    with _state() as state:
        count = len(state.relying_party.credentials.of_user(user_id))
        state.relying_party.forget_user(user_id)
    click.echo(f"Deleted {count}.")


@passkey.command("openapi", epilog="Example: flask passkey openapi > openapi.json")
def openapi() -> None:
    """Print the HTTP routes as an OpenAPI 3.1 document, in JSON."""
    with _state() as state:
        try:
            from .openapi import document
        except ModuleNotFoundError as exc:
            raise click.ClickException("This needs apispec: pip install 'flask-passkey[openapi]'") from exc
        made = document(state.config, session_cookie=current_app.config["SESSION_COOKIE_NAME"])
    click.echo(json.dumps(made, indent=2))


@passkey.command("import", epilog="Example: flask passkey import --from django-allauth db.sqlite3 --dry-run")
@click.option("--from", "peer", type=click.Choice(_PEERS), required=True, help="What the passkeys were made with.")
@click.argument("place", metavar="FILE|URL")
@click.option("--users", type=click.Path(exists=True, dir_okay=False), help="CSV: an account's old id and its new one.")
@click.option("--rp-id", help="What the passkeys were made for; PASSKEY_RP_ID by default.")
@click.option("--table", default="", help="The table of passkeys, where several could be it.")
@click.option("--user-verified", is_flag=True, help="Every user was verified, by PIN, finger or face, at registration.")
@click.option("--unknown-handles", is_flag=True, help="The peer made user handles in another way than usual.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and store nothing.")
def import_passkeys(
    peer: str, place: str, users: str | None, rp_id: str | None, table: str, dry_run: bool, **options: bool
) -> None:
    """Take over the passkeys of another library or server.

    FILE is SQLite, JSON or CSV; URL is one of SQLAlchemy's, such as postgresql+psycopg://user:password@host/database.
    It is only read. What is there already is skipped, so this may be repeated.
    """
    from .importers import Importer

    with _state() as first:
        state = _for(first, rp_id)
        importer = Importer(
            credentials=state.relying_party.credentials,
            accounts=state.accounts,
            rp_id=state.config.rp_id,
            users=None if users is None else _read_users(users),
            dry_run=dry_run,
            **options,
        )
        report = _import(importer, peer, place, table)
    for line in report.lines(dry_run=dry_run):
        click.echo(line)
    if report.stopped:
        raise click.ClickException(report.stopped)


def _import(importer: Importer, peer: str, place: str, table: str) -> Report:
    """Run an import, with a bar on a terminal."""
    from .importers import PEERS, open_source

    with open_source(place) as source:
        count, rows = source.rows(source.find(PEERS[peer].columns, table))
        shown = click.progressbar(rows, length=count, file=sys.stderr) if sys.stderr.isatty() else nullcontext(rows)
        with shown as rows_shown:
            return importer.run(rows_shown, PEERS[peer].reader(source))


def _read_users(path: str) -> dict[str, str]:
    """Read the map of accounts: lines of an old and a new id."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return {line[0].strip(): line[1].strip() for line in csv.reader(file) if len(line) > 1}
    except (OSError, ValueError, csv.Error) as exc:
        raise click.ClickException(f"{path} is not CSV in UTF-8: a line has an old id, a comma and a new id.") from exc
