"""The demo in two languages: every page in the browser's, every text in the catalog, nothing left over."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from demo import create_app
from flask_passkey.testing import VirtualAuthenticator, sign_up

SITE = "http://localhost:5000"
FOLDER = Path(__file__).parent.parent / "demo"  # not the installed one: what only translators need is not in it
GERMAN = FOLDER / "translations" / "de" / "LC_MESSAGES" / "messages.po"
#: What people should not have to know: the technology's words, and what systems call a passkey elsewhere.
JARGON = ("webauthn", "fido", "authenti", "credential", "anmeldeinformation", "schlüsselbund")
UPDATE = "run `nox -s translations`, and translate what is new"


def read(path: Path) -> Catalog:
    """Return a catalog."""
    with path.open("rb") as file:
        return read_po(file)


def messages(path: Path) -> list[Message]:
    """Return the messages of a catalog, without its header."""
    return [message for message in read(path) if message.id]


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the forms of a text: one, or singular and plural."""
    return (text,) if isinstance(text, str) else tuple(text or ())


def extracted() -> set[tuple[str, ...]]:
    """Return the forms of every text in the demo's code and templates, found as ``nox -s translations`` finds them."""
    with (FOLDER / "translations" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    keywords: dict[str, Any] = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
    found = extract_from_dir(FOLDER, method_map=methods, options_map=options, keywords=keywords)
    return {forms(text) for _file, _line, text, _comments, _context in found}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """The demo on its defaults."""
    app = create_app({"INSTANCE_PATH": str(tmp_path)})
    yield app
    with app.app_context():
        app.extensions["passkey"].credentials.close()


def client_of(app: Flask, languages: str) -> FlaskClient:
    """Return a browser at the demo's address that prefers some languages."""
    client = app.test_client()
    client.environ_base |= {"SERVER_NAME": "localhost", "SERVER_PORT": "5000", "HTTP_ORIGIN": SITE}
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = languages
    return client


# The catalog


@pytest.mark.parametrize("path", [GERMAN, FOLDER / "translations" / "messages.pot"], ids=lambda path: path.name)
def test_catalogs_have_every_text_and_no_other(path: Path) -> None:
    """What stands in code and templates stands in the catalogs, and nothing that stands nowhere any more."""
    assert {forms(message.id) for message in messages(path)} == extracted(), UPDATE
    assert not read(path).obsolete, UPDATE


def test_everything_is_translated() -> None:
    """No German text is missing, only guessed, or without the values of its English one."""
    catalog = read(GERMAN)
    assert not [message.id for message in catalog if message.id and not all(forms(message.string))], UPDATE
    assert not [message.id for message in catalog if message.id and message.fuzzy], UPDATE
    assert not [(message.id, errors) for message, errors in catalog.check()]


def test_translations_are_plain_text() -> None:
    """No text has markup or quotes that could end an attribute: templates put all of them where they like."""
    texts = {text for message in messages(GERMAN) for text in (*forms(message.id), *forms(message.string))}
    assert not [text for text in texts if set(text) & set('<>"&')]


def test_the_compiled_catalog_is_the_readable_one() -> None:
    """What the demo reads was compiled from what people read."""
    with GERMAN.with_suffix(".mo").open("rb") as file:
        compiled = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    compiled.pop("")
    readable: dict[Any, Any] = {}
    for message in messages(GERMAN):
        if isinstance(message.id, str):
            readable[message.id] = message.string
        else:
            readable |= {(message.id[0], number): text for number, text in enumerate(forms(message.string))}
    assert compiled == readable, UPDATE


@pytest.mark.proves("browser:4")
def test_words_that_people_know() -> None:
    """No text speaks of the technology, in no language."""
    texts = [text for message in messages(GERMAN) for text in (*forms(message.id), *forms(message.string))]
    assert not [text for text in texts for word in JARGON if word in text.lower()]


# The pages


def english_in(page: str) -> list[str]:
    """Return the English texts that a German page has, those in its scripts left out."""
    shown = re.sub(r"\s+", " ", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
    return [str(m.id) for m in messages(GERMAN) if m.id != m.string and len(str(m.id)) > 12 and str(m.id) in shown]


@pytest.mark.parametrize(
    ("languages", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.9", "de"),
        ("en-US,de;q=0.9", "en"),
        ("fr-FR,fr;q=0.9,de;q=0.8,en;q=0.7", "de"),
        ("de;q=0.1,en;q=0.2", "en"),
        ("de;q=0,fr", "en"),
        ("DE-de", "de"),
        ("den", "en"),
        ("*", "en"),
        ("\x80;q=x,,-,de-\xff;q=9999", "en"),
    ],
)
def test_the_browser_chooses(app: Flask, languages: str, language: str) -> None:
    """The first language that there is decides, whatever its region; English where there is none."""
    response = client_of(app, languages).get("/sign-in")
    assert response.headers["Content-Language"] == language
    assert "Accept-Language" in response.headers["Vary"]
    assert f'<html lang="{language}">' in response.text
    assert {"en": "<h1>Sign in</h1>", "de": "<h1>Anmelden</h1>"}[language] in response.text
    assert bool(english_in(response.text)) == (language == "en")


def test_only_pages_have_a_language(app: Flask) -> None:
    """Redirects and files are the same in all languages; the answers of the routes are in the page's."""
    german, english = client_of(app, "de"), client_of(app, "en")
    for path in ("/", "/static/demo.css"):
        with german.get(path) as response:
            assert "Content-Language" not in response.headers
    answers = [client.post("/session/authn", json={}).get_json()["msg"] for client in (german, english)]
    assert answers == ["Die Anfrage ist fehlerhaft: session_id.", "The request is malformed: session_id."]


def test_a_visit_in_german(app: Flask) -> None:
    """Dates, what was done and what was refused, and the sentences of the module are German too."""
    client, authenticator = client_of(app, "de-DE,de;q=0.9"), VirtualAuthenticator(SITE)
    made = sign_up(client, authenticator, "ada")
    page = client.get("/passkeys").text
    assert "<h1>Ihre Passkeys</h1>" in page
    assert re.search(r"Erstellt am <time [^>]+>\d{1,2}\. \w+ \d{4}</time>", page)
    assert "Es wurde kein Passkey verwendet." in page
    assert "Bitte melden Sie sich zuerst an." in page
    client.post(f"/passkeys/{made['id']}/delete")
    assert "Dies ist Ihr einziger Passkey." in client.get("/passkeys").text
    assert english_in(page) == []
    client.post("/account", data={"display_name": "Ada"})
    assert "Ihr Name wurde geändert." in client.get("/passkeys").text
    assert "Sie sind abgemeldet." in client.post("/sign-out", follow_redirects=True).text
    assert "Sie sind abgemeldet." not in client.get("/sign-in").text


def test_what_goes_wrong_in_german(app: Flask, tmp_path: Path) -> None:
    """Pages for errors are in the browser's language, also the one for a store of sessions that is down."""
    response = client_of(app, "de").get("/nowhere")
    assert "Seite nicht gefunden" in response.text
    assert response.headers["Content-Language"] == "de"
    client = client_of(create_app({"INSTANCE_PATH": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1/0"}), "de")
    client.set_cookie("demo_session", "of-somebody")
    response = client.get("/passkeys")
    assert "Der Dienst ist im Moment nicht erreichbar." in response.text
    assert response.headers["Content-Language"] == "de"
