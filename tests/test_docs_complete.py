"""The pages leave nothing out, and what they show beside Python is right: commands, templates, SQL, styles, output."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest
from apps import SITE, App
from flask import render_template_string
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, inspect, text
from test_docs import DOCUMENTS, ROOT
from test_docs_code import blocks, pages_with
from test_doctor import check, public
from test_site import DOCS, loaded

from flask_passkey import advisories, metadata
from flask_passkey.cli import passkey as commands
from flask_passkey.importers.report import Report
from flask_passkey.importers.run import ORPHAN
from flask_passkey.testing import VirtualAuthenticator, sign_up

make = loaded(DOCS / "make_reference.py")
#: What a whole number may be counted in.
UNITS = re.compile(r"\b(milliseconds|seconds|bytes|passkeys)\b")


def extras() -> set[str]:
    """Return the extras that can be installed."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return set(setup["options.extras_require"])


def test_every_extra_is_explained() -> None:
    """The table of extras has all of them, and no page names another."""
    table = (DOCS / "start" / "installation.md").read_text("utf-8").partition("## Extras")[2]
    rows = re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == extras()
    texts = "".join(page.read_text("utf-8") for page in DOCUMENTS)
    named = {name for names in re.findall(r"flask-passkey\[([\w,]+)\]", texts) for name in names.split(",")}
    assert named and named <= extras()


def test_numbers_have_units() -> None:
    """Every setting that is a whole number says of what."""
    said = make.comments()
    numbers = [setting.name for setting in make.fields(make.PasskeyConfig) if str(setting.type) == "int"]
    assert len(numbers) > 3
    assert not [name for name in numbers if not UNITS.search(said[name])]


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_command_has_an_example(name: str) -> None:
    """The help and the page show a command once as it is typed, with options and arguments that it takes."""
    command = commands.commands[name]
    example = (command.epilog or "").removeprefix("Example: ")
    assert f"{example}\n" in blocks("docs/reference/commands.md", "sh")
    program, group, typed, *words = shlex.split(example.partition(" > ")[0])
    assert (program, group, typed) == ("flask", "passkey", name)
    values, rest, _ = command.make_parser(click.Context(command)).parse_args(words)
    assert not rest
    assert all(isinstance(values[part.name], str) for part in command.params if isinstance(part, click.Argument))


#: Its template extends one of Flask-AppBuilder's, where test_flask_appbuilder.py renders it.
APPBUILDER = "docs/howto/flask-appbuilder.md"


@pytest.mark.parametrize("page", [page for page in pages_with("jinja") if page != APPBUILDER])
def test_templates_can_be_rendered(page: str, site: App, client: FlaskClient) -> None:
    """Every template of a page makes something of ours in a page of somebody who is signed in."""
    templates = blocks(page, "jinja")
    site.app.add_url_rule(
        "/template/<int:number>", "template", lambda number: render_template_string(templates[number])
    )
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    for number in range(len(templates)):
        answer = client.get(f"/template/{number}")
        assert answer.status_code == 200
        assert "passkey" in answer.text.replace("passkey_ui", "")


def test_properties_of_the_stylesheet_are_listed() -> None:
    """The page has every property that the stylesheet looks at, and sets no other."""
    page = (DOCS / "howto" / "pages.md").read_text("utf-8")
    style = (ROOT / "flask_passkey" / "static" / "passkey.css").read_text("utf-8")
    assert {*re.findall(r"--passkey-[a-z-]+", page)} == {*re.findall(r"var\((--passkey-[a-z-]+)", style)}


def columns(engine: Engine) -> dict[str, str]:
    """Return the types of the columns of passkeys."""
    return {column["name"]: str(column["type"]) for column in inspect(engine).get_columns("passkey_credential")}


def test_tables_from_before_get_their_columns() -> None:
    """The statements for tables of an old clone add what they lack, and say what old rows are for."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    before = columns(engine)
    statements = "".join(blocks("docs/howto/relying-parties.md", "sql")).split(";")[:-1]
    with engine.begin() as connection:
        for name in ("rp_id", "discoverable"):
            connection.execute(text(f"ALTER TABLE passkey_credential DROP COLUMN {name}"))
        for statement in statements:
            connection.execute(text(statement))
    assert columns(engine) == before
    engine.dispose()


def test_output_of_the_check_is_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check says of a wrong setting what its page shows."""
    monkeypatch.setattr(advisories, "installed_versions", dict)  # which may be old ones with holes
    (shown,) = blocks("docs/operate/check.md", "text")
    assert shown in check(lambda: public(tmp_path, SESSION_COOKIE_DOMAIN="example.org").app).output


def test_report_of_an_import_is_as_shown() -> None:
    """An import tells what it did as its page shows."""
    (shown,) = blocks("docs/howto/import.md", "text")
    report = Report(imported=4812, left_out={ORPHAN: [17, 204, 3120]})
    assert [*report.lines()] == shown.splitlines()
