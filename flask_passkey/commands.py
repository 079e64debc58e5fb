"""``flask passkey`` as apps have it: what its commands need is loaded when one of them is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask.cli import AppGroup

if TYPE_CHECKING:
    import click


class _Commands(AppGroup):
    """The commands of :mod:`flask_passkey.cli`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _group().get_command(ctx, cmd_name)


def _group() -> AppGroup:
    from .cli import passkey

    return passkey


group = _Commands("passkey", help="Passkeys: settings, stores, and an account's passkeys.")
