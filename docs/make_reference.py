"""Write docs/reference/settings.md and commands.md from the code: the settings' comments, and the commands' help.

Run it as ``python docs/make_reference.py``; a test compares. The code is the one source, so a new setting or command is
explained there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from flask_passkey import PasskeyConfig
from flask_passkey.cli import passkey

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"

#: The first setting of each group, in the order of the code.
GROUPS = {
    "rp_id": "Where the site is",
    "timeout": "Ceremonies",
    "attestation": "Models of authenticators",
    "hints": "What browsers and passkeys may do",
    "sign_up": "Accounts and freshness",
    "audit_names": "Answers and log",
    "database_uri": "Where things are kept",
    "endpoints": "Documents for browsers, password managers and native apps",
    "enrol_url": "Invitations, several sites, pages, the document of the routes",
}
#: Where more is said of a setting.
MORE = {
    "origins": "[tenants](../howto/relying-parties.md#origins-of-tenants)",
    "rp_id": "[RP IDs](../howto/relying-parties.md)",
    "relying_parties": "[several relying parties](../howto/relying-parties.md#several-relying-parties)",
    "database_uri": "[where credentials are kept](../howto/databases.md)",
    "ceremony_store": "[stores](../howto/stores.md)",
    "allow_cross_origin": "[in a frame of another site](../howto/frames.md)",
    "remember": "[remember me](../howto/remember-me.md)",
    "username_first": "[names that tell](../howto/sign-up.md#names-that-tell)",
    "enrol_url": "[lost devices](../howto/recovery.md)",
    "pages_prefix": "[ready pages](../howto/pages.md)",
    "base_template": "[ready pages](../howto/pages.md)",
    "openapi": "[HTTP, in full](http.md)",
    "android_apps": "[native apps](../howto/native-apps.md)",
    "apple_apps": "[native apps](../howto/native-apps.md)",
    "step_up_age": "[step-up](../howto/step-up.md)",
    "hints": "[hints](../proof/specification.md#hints)",
}
#: What a type of Python is called.
KINDS = {"str": "text", "bool": "true or false", "bool | None": "true or false", "int": "a whole number"}

SETTINGS = """\
# Settings

Keys of `app.config`. They are read and checked once, at start-up; what cannot work is refused with the line to write
instead. What is changed after that has no effect; the log and `flask passkey check` say so. Only `PASSKEY_RP_ID` is
required, and in debug and testing not even that. From the environment they come with `app.config.from_prefixed_env()`,
as `FLASK_PASSKEY_RP_ID` and so on.

This page is made from `flask_passkey/config/settings.py` by `python docs/make_reference.py`.
"""
COMMANDS = """\
# Command line

`flask --app app passkey …` runs in the app, with its settings. An account is named by its id: see
[your users](../howto/users.md).

This page is made from the commands' own help by `python docs/make_reference.py`.
"""


def comments() -> dict[str, str]:
    """Return what the code says of each setting."""
    source = (ROOT / "flask_passkey" / "config" / "settings.py").read_text("utf-8")
    lines = source.splitlines()
    (defined,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    found, settings = {}, {setting.name for setting in fields(PasskeyConfig)}
    for node in defined.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in settings:
            found[node.target.id] = " ".join(reversed(list(comment_above(lines, node.lineno - 1))))
    return found


def comment_above(lines: list[str], line: int) -> Iterator[str]:
    """Yield the lines of the comment that ends above a line, the last one first."""
    while (line := line - 1) >= 0 and lines[line].lstrip().startswith("#: "):
        yield lines[line].lstrip().removeprefix("#: ")


def in_markdown(text: str) -> str:
    """Return a docstring as Markdown."""
    return re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", text).replace("``", "`")


def default_of(setting: Field[Any]) -> str:
    """Return a setting's default as it is written in Python; empty where nothing is set."""
    value = setting.default if setting.default_factory is MISSING else setting.default_factory()
    if value in (None, "", (), {}):
        return ""
    return repr(list(value) if isinstance(value, tuple) else value)


def kind_of(setting: Field[Any]) -> str:
    """Return in words what a setting is."""
    name = str(setting.type)
    return KINDS.get(name) or ("a list" if name.startswith("tuple") else "a dict")


def setting_entry(setting: Field[Any], comment: str) -> str:
    """Return what the page says of one setting."""
    default = default_of(setting)
    about = f"{kind_of(setting).capitalize()}. " + (f"Default: `{default}`." if default else "Not set by default.")
    more = f" More: {MORE[setting.name]}." if setting.name in MORE else ""
    return f"\n### `PASSKEY_{setting.name.upper()}`\n\n{about}\n\n{in_markdown(comment)}{more}\n"


def settings_page() -> str:
    """Return the page of settings."""
    said, page = comments(), SETTINGS
    for setting in fields(PasskeyConfig):
        page += f"\n## {GROUPS[setting.name]}\n" if setting.name in GROUPS else ""
        page += setting_entry(setting, said[setting.name])
    return page


def commands_page() -> str:
    """Return the page of commands."""
    commands: Mapping[str, click.Command] = passkey.commands
    return COMMANDS + "".join(map(command_entry, commands.values()))


def command_entry(command: click.Command) -> str:
    """Return what the page says of one command."""
    arguments = [str(part.metavar or part.name).upper() for part in command.params if isinstance(part, click.Argument)]
    options = [part for part in command.params if isinstance(part, click.Option)]
    usage = " ".join(["flask passkey", str(command.name), *(["[OPTIONS]"] if options else []), *arguments])
    told = re.sub(r"(--[a-z-]+)", r"`\1`", cleandoc(command.help or ""))
    example = (command.epilog or "").removeprefix("Example: ")
    entry = f"\n## `flask passkey {command.name}`\n\n```text\n{usage}\n```\n\n{told}\n\n```sh\n{example}\n```\n"
    return entry + ("\n| option | |\n|---|---|\n" + "".join(map(option_row, options)) if options else "")


def option_row(option: click.Option) -> str:
    """Return an option's row of the table."""
    takes = "" if option.is_flag else f" {option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        takes = " " + "\\|".join(option.type.choices)
    if isinstance(option.type, click.IntRange):
        takes = f" {option.type.min}–{option.type.max}"
    needed = " Required." if option.required else ""
    return f"| `{option.opts[0]}{takes}` | {option.help}{needed} |\n"


PAGES = {"settings": settings_page, "commands": commands_page}

if __name__ == "__main__":
    for name, made in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(made(), "utf-8")
