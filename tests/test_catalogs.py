"""Ten languages: every sentence that people read, in each of them, and in the one that the app chooses."""

from __future__ import annotations

import gettext
import json
import logging
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from apps import SITE, App, finish, make_app
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, render_template_string, request
from flask.testing import FlaskClient
from flask_babel import Babel

from flask_passkey import errors
from flask_passkey.testing import VirtualAuthenticator, sign_up
from flask_passkey.web import sentences, words
from flask_passkey.words import PASSKEY

PACKAGE = Path(__file__).parent.parent / "flask_passkey"  # what is installed may lack what translators need
FOLDER = PACKAGE / "translations"
#: English is the language of the code.
LANGUAGES = ("de", "es", "fr", "it", "ja", "nl", "pl", "pt_BR", "zh_Hans")
#: What systems and browsers call a passkey in each language.
NAMES = {
    "de": "Passkey",
    "es": "Llave de acceso",
    "fr": "Clé d’accès",
    "it": "Passkey",
    "ja": "パスキー",
    "nl": "Passkey",
    "pl": "Klucz dostępu",
    "pt_BR": "Chave de acesso",
    "zh_Hans": "通行密钥",
}
#: What people should not have to know.
JARGON = ("webauthn", "fido", "authenti", "credential")
UPDATE = "run `nox -s translations`, and translate what is new"
#: The shape of a registration's response.
REGISTRATION = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "response": {"clientDataJSON": "AAAA", "attestationObject": "AAAA"},
}
LINUX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"}


def catalog_of(language: str) -> Catalog:
    """Return the readable catalog of a language."""
    with (FOLDER / language / "LC_MESSAGES" / f"{words.DOMAIN}.po").open("rb") as file:
        return read_po(file)


def messages(catalog: Catalog) -> list[Message]:
    """Return the messages of a catalog, without its header."""
    return [message for message in catalog if message.id]


def forms(text: Any) -> tuple[str, ...]:
    """Return the forms of a text: one, or one for each kind of number."""
    return (text,) if isinstance(text, str) else tuple(text or ())


def translations(language: str) -> dict[str, str]:
    """Return the texts of a language by the English ones, those that depend on a number left out."""
    found = messages(catalog_of(language))
    return {message.id: str(message.string) for message in found if isinstance(message.id, str)}


def extracted() -> set[tuple[str, ...]]:
    """Return the forms of every text in code and templates, found as ``nox -s translations`` finds them."""
    with (FOLDER / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    keywords: dict[str, Any] = {**DEFAULT_KEYWORDS, "N_": None}
    found = extract_from_dir(PACKAGE, method_map=methods, options_map=options, keywords=keywords)
    return {forms(text) for _file, _line, text, _comments, _context in found}


def values_in(text: str) -> set[str]:
    """Return the names of the values that stand in a text, in either way of writing them."""
    braces = {name for _, name, _, _ in Formatter().parse(text) if name} if "{" in text else set()
    return braces | set(re.findall(r"%\((\w+)\)s", text))


def in_language(language: str, **options: Any) -> App:
    """Return an app that speaks a language."""
    return make_app(before=lambda app: Babel(app, default_locale=language), **options)


def by_choice(**options: Any) -> App:
    """Return an app whose visitors choose their language by ``?lang=``."""
    return make_app(before=lambda app: Babel(app, locale_selector=lambda: request.args.get("lang")), **options)


# The catalogs


def test_there_are_ten_languages() -> None:
    """English and nine others, of which each has a catalog."""
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == sorted(LANGUAGES)
    assert NAMES.keys() == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_have_every_text_and_no_other(language: str) -> None:
    """What stands in code and templates stands in each catalog, and nothing that stands nowhere any more."""
    catalog = catalog_of(language)
    assert {forms(message.id) for message in messages(catalog)} == extracted(), UPDATE
    assert not catalog.obsolete, UPDATE


def test_the_template_is_complete() -> None:
    """Whoever adds a language starts from a list of all texts."""
    with (FOLDER / f"{words.DOMAIN}.pot").open("rb") as file:
        assert {forms(message.id) for message in messages(read_po(file))} == extracted(), UPDATE


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated(language: str) -> None:
    """No text is missing, only guessed, without a form for some number, or without the values of its English one."""
    catalog = catalog_of(language)
    assert str(catalog.locale) == language
    for message in messages(catalog):
        number = 1 if isinstance(message.id, str) else catalog.num_plurals
        assert len(forms(message.string)) == number and all(forms(message.string)), message.id
        assert not message.fuzzy, message.id
        expected = values_in(forms(message.id)[0])
        assert all(values_in(text) == expected for text in forms(message.string)), message.id
        assert message.string != message.id or message.id == PASSKEY, "it is left in English"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_are_clean_plain_text(language: str) -> None:
    """No text begins or ends with a space, or has markup, quotes that could end an attribute, or jargon."""
    for message in messages(catalog_of(language)):
        for text in (*forms(message.id), *forms(message.string)):
            assert text == text.strip() and "  " not in text
            assert not set(text) & set('<>"&\n')
            assert not [word for word in JARGON if word in text.lower()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalog_is_the_readable_one(language: str) -> None:
    """What apps read was compiled from what people read."""
    catalog = catalog_of(language)
    with (FOLDER / language / "LC_MESSAGES" / f"{words.DOMAIN}.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in messages(catalog):
        if isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string, UPDATE
        else:
            one, many = forms(message.id)
            found = {compiled.ngettext(one, many, number) for number in range(200)}
            assert found == set(forms(message.string)), UPDATE


@pytest.mark.parametrize("language", LANGUAGES)
def test_passkeys_are_called_as_elsewhere(language: str) -> None:
    """A passkey has the name that it has on phones and computers in this language."""
    assert translations(language)[PASSKEY] == NAMES[language]
    stem = NAMES[language].lower().split()[0].rstrip("zec")  # klucz, klucze; Clé, clés; llave, llaves
    assert stem in translations(language)["Your new passkey is ready."].lower()


def test_every_sentence_of_the_module_is_there() -> None:
    """The sentences that we translate are those that ``passkey.js`` can say, under the same keys."""
    sources = [path for path in (PACKAGE / "static").glob("passkey*.js") if ".min." not in path.name]
    script = "".join(path.read_text("utf-8") for path in sources)
    tables = re.findall(r"export const (?:MESSAGES|REFUSALS) = .*?^\};", script, re.DOTALL | re.MULTILINE)
    found = re.findall(r'^  "?([\w.-]+)"?:\s+"(.*)",$', "\n".join(tables), re.MULTILINE)
    said = {key: text for key, text in found if text}
    assert len(tables) == 2
    assert said == sentences.SENTENCES


def test_every_sentence_of_a_refusal_is_there() -> None:
    """No refusal has a sentence that is in no catalog."""
    refusals = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refusal)}
    made = [kind("id") if kind is errors.MalformedRequest else kind() for kind in refusals - {errors.Refusal}]
    asked: set[str] = set()

    def ask(text: str, **values: object) -> str:
        asked.add(text)
        return text % values if values else text

    assert {refusal.translated(ask) for refusal in made} == {refusal.message for refusal in made}
    assert {(text,) for text in asked} <= extracted()


# The language


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("de_AT", "de"),
        ("pt", "pt_BR"),
        ("pt_PT", "pt_BR"),
        ("zh", "zh_Hans"),
        ("zh_CN", "zh_Hans"),
        ("zh_Hans_SG", "zh_Hans"),
        ("zh_TW", None),
        ("zh_Hant", None),
        ("en_GB", None),
        ("sv", None),
    ],
)
def test_locales_and_their_catalogs(locale: str, language: str | None) -> None:
    """A locale of a language that we have reads its catalog; no other language takes its place."""
    site = in_language(locale)
    expected = "Sign in" if language is None else translations(language)["Sign in"]
    with site.app.test_request_context():
        assert words.gettext("Sign in") == expected
        spoken = locale if language or locale.startswith("en") else "en"
        assert words.language().replace("-", "_") == str(Locale.parse(spoken))


def test_a_locale_object_without_its_script() -> None:
    """An app may give a locale that does not say what it is written in."""
    site = make_app(before=lambda app: Babel(app, locale_selector=lambda: Locale("zh", "TW")))
    with site.app.test_request_context():
        assert words.gettext("Sign in") == "Sign in"


def test_every_number_has_its_form() -> None:
    """Polish has three forms for numbers, Japanese one."""
    expected = {"pl": ["1 nieużyty", "3 nieużyte", "8 nieużytych"], "ja": ["1 個", "3 個", "8 個"]}
    one, many = (f"You have %(num)s recovery {code} not used yet." for code in ("code that was", "codes that were"))
    for language, found in expected.items():
        with in_language(language).app.test_request_context():
            for number, text in zip((1, 3, 8), found, strict=True):
                assert text in words.ngettext(one, many, number)


def test_days() -> None:
    """Days are written as the language of the texts writes them."""
    days = {"pl": "25 listopada 2026", "ja": "2026年11月25日", "sv": "25 November 2026"}
    for language, day in days.items():
        with in_language(language).app.test_request_context():
            assert words.day(datetime(2026, 11, 25, tzinfo=UTC)) == day


# Answers of the server


def refusals(client: FlaskClient, query: str = "") -> list[str]:
    """Return the sentences of a few refusals."""
    answers = [
        client.get(f"/user/authn{query}"),
        client.post(f"/session/authn{query}", json={}),
        client.put(f"/session/authn{query}", headers={"Origin": "https://evil.example"}),
        client.patch(f"/session/authn{query}"),
    ]
    return [answer.get_json()["msg"] for answer in answers]


def test_answers_are_in_the_visitors_language() -> None:
    """The envelope's sentence is in the language that the app chooses for the request; the names of fields stay."""
    client = by_choice().app.test_client()
    assert refusals(client, "?lang=de") == [
        "Bitte melden Sie sich zuerst an.",
        "Die Anfrage ist fehlerhaft: session_id.",
        "Diese Anfrage ist nicht erlaubt.",
        "Die Anfrage ist fehlerhaft: method.",
    ]
    assert refusals(client, "?lang=fr")[0] == "Veuillez d’abord vous connecter."
    assert refusals(client) == refusals(make_app().app.test_client())


def test_answers_are_english_without_babel() -> None:
    """Without Flask-Babel the browser's wish changes nothing: there is no choice but the app's."""
    client = make_app().app.test_client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    assert refusals(client)[0] == "Please sign in first."


def test_one_sentence_for_all_causes_in_every_language() -> None:
    """In another language, too, the sentence tells the causes of a code no more apart than the code does."""
    site = in_language("ja")
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    answers = [
        client.patch("/user/authn/AAAA", json={"name": "x"}),
        finish(client, {"session_id": str(uuid.uuid4())}, REGISTRATION, "/user/authn"),
    ]
    assert [answer.get_json()["code"] for answer in answers] == [404, 404]
    assert {answer.get_json()["msg"] for answer in answers} == {
        translations("ja")["This was not found; it may have expired or been used already."]
    }


@pytest.mark.parametrize("language", ["not-a-language", "\x00", "de_" * 400, "zz", "../../de"])
def test_odd_languages_end_in_english(language: str) -> None:
    """Whatever somebody asks for as a language, of an app that does not check it, the answer is in English."""
    client = by_choice().app.test_client()
    answer = client.get("/user/authn", query_string={"lang": language})
    assert (answer.status_code, answer.get_json()["msg"]) == (401, "Please sign in first.")


def test_a_selector_that_fails_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A selector that cannot choose costs the language only, and one warning a minute."""

    def fail() -> str:
        raise LookupError("the users are out of reach")

    site = make_app(before=lambda app: Babel(app, locale_selector=fail), pages=True)
    with caplog.at_level(logging.WARNING):
        assert refusals(site.app.test_client())[0] == "Please sign in first."
        assert "Sign in with a passkey" in site.app.test_client().get("/passkeys/sign-in").text
    told = [record for record in caplog.records if "locale selector" in record.getMessage()]
    assert len(told) == 1 and told[0].exc_info is not None


# Names of new passkeys


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("de", ["Chrome auf Linux", "Passkey"]),
        ("ja", ["Linux の Chrome", "パスキー"]),
        ("fr", ["Chrome sur Linux", "Clé d’accès"]),
    ],
)
def test_new_passkeys_are_named_in_the_language(language: str, names: list[str]) -> None:
    """A passkey that its owner gives no name gets one in the language of the page it was made on."""
    found = []
    for headers in (LINUX, {"User-Agent": "curl/8"}):
        client = in_language(language).app.test_client()
        client.environ_base["HTTP_USER_AGENT"] = headers["User-Agent"]
        found.append(sign_up(client, VirtualAuthenticator(SITE), "ada")["name"])
    assert found == names


# The sentences of passkey.js


def island(page: str) -> dict[str, str] | None:
    """Return the sentences that a page brings for ``passkey.js``."""
    found = re.findall(r'<script type="application/json" data-passkey-translation>(.*?)</script>', page)
    assert len(found) <= 1
    sentences: dict[str, str] | None = json.loads(found[0]) if found else None
    return sentences


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_bring_the_sentences(language: str) -> None:
    """A page in another language has all sentences of the module as data, which no policy keeps out."""
    page = in_language(language, pages=True).app.test_client().get("/passkeys/sign-in").text
    found = island(page)
    assert found == {key: translations(language)[text] for key, text in sentences.SENTENCES.items()}
    assert page.index("data-passkey-translation") < page.index('type="module"')


def test_english_pages_bring_none() -> None:
    """In English the module has them itself: a page is no longer than it was."""
    for site in (make_app(pages=True), in_language("en", pages=True), in_language("en_GB", pages=True)):
        assert island(site.app.test_client().get("/passkeys/sign-in").text) is None


def test_messages_for_pages_of_the_app() -> None:
    """An app gets the same sentences for its own pages, by a method and in templates."""
    site = by_choice()
    site.app.add_url_rule("/messages", "messages", site.passkey.messages)
    source = "{{ passkey_ui.messages()|tojson }}"
    site.app.add_url_rule("/page", "page", lambda: render_template_string(source))
    client = site.app.test_client()
    german = client.get("/messages?lang=de").get_json()
    assert german["done"] == "Fertig."
    assert json.loads(client.get("/page?lang=de").text) == german
    assert client.get("/messages").get_json() == {}


# Texts of the app

Own = Callable[[str, dict[str, str]], Callable[[Flask], Babel]]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """Return what gives an app a language, with a catalog of its own of some of our texts."""

    def babel(language: str, texts: dict[str, str]) -> Callable[[Flask], Babel]:
        catalog = Catalog(locale=language)
        for english, text in texts.items():
            catalog.add(english, text)
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        with (folder / f"{words.DOMAIN}.mo").open("wb") as file:
            write_mo(file, catalog)
        return lambda app: Babel(app, default_locale=language, default_translation_directories=str(tmp_path))

    return babel


def test_apps_say_it_in_their_words(own: Own) -> None:
    """A catalog of the app comes before ours, sentence by sentence, also for English and for the module's sentences."""
    site = make_app(before=own("de_CH", {"Sign in": "Einloggen", "Done.": "Erledigt."}), pages=True)
    page = site.app.test_client().get("/passkeys/sign-in").text
    assert "<title>Einloggen</title>" in page and "Noch kein Konto?" in page
    assert (island(page) or {})["done"] == "Erledigt."


def test_apps_change_english(own: Own) -> None:
    """An app may put English sentences of its own in place of ours."""
    site = make_app(before=own("en", {"Sign in": "Log in", "Done.": "All set."}), pages=True)
    page = site.app.test_client().get("/passkeys/sign-in").text
    assert "<title>Log in</title>" in page and "No account yet?" in page
    assert island(page) == {"done": "All set."}


def test_apps_add_a_language(own: Own) -> None:
    """An app that has a language that we do not have brings its catalog along; what that lacks is English."""
    site = make_app(before=own("sv", {"Sign in": "Logga in"}), pages=True)
    page = site.app.test_client().get("/passkeys/sign-in").text
    assert '<html class="passkey-html" lang="sv">' in page
    assert "<title>Logga in</title>" in page and "No account yet?" in page
