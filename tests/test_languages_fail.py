"""Selectors of Flask-Babel that fail or name what there is not: they cost the language, once, and never the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from apps import SITE, App, make_app
from flask import request
from flask_babel import Babel, force_locale

from flask_passkey.testing import VirtualAuthenticator, sign_up
from flask_passkey.web import sentences, words

SIGN_IN = "/passkeys/sign-in"
#: Half an hour before midnight in UTC: the next day farther east.
LATE = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)


class Failing:
    """A selector that asks a database that is down, and how often it was called."""

    def __init__(self) -> None:
        """Begin to count."""
        self.calls = 0

    def __call__(self) -> str:
        """Fail."""
        self.calls += 1
        raise LookupError("the users are out of reach")


def with_locale(choose: Callable[[], object]) -> App:
    """Return an app with a selector of locales."""
    return make_app(before=lambda app: Babel(app, locale_selector=choose), pages=True)


def in_german(choose_zone: Callable[[], object] | None = None, zone: str = "UTC") -> App:
    """Return a German app, with a selector of timezones or a timezone."""
    return make_app(
        before=lambda app: Babel(app, default_locale="de", timezone_selector=choose_zone, default_timezone=zone),
        pages=True,
    )


def warnings(caplog: pytest.LogCaptureFixture, selector: str) -> int:
    """Return how often the log warns of a selector, always with what it raised."""
    told = [record for record in caplog.records if f"{selector} selector" in record.getMessage()]
    assert all(record.exc_info for record in told)
    return len(told)


# Locales


def test_a_failing_selector_is_asked_once_in_a_request() -> None:
    """A page has dozens of sentences; a selector that is slow to fail is waited for once, and again in the next one."""
    selector = Failing()
    client = with_locale(selector).app.test_client()
    for calls in (1, 2):
        assert "<title>Sign in</title>" in client.get(SIGN_IN).text
        assert selector.calls == calls


@pytest.mark.parametrize("language", ["xx", "not-a-language"])
def test_an_unknown_language_is_looked_for_once_in_a_request(language: str) -> None:
    """So is a language that Babel does not know."""
    asked: list[str] = []

    def choose() -> str:
        asked.append(request.args["lang"])
        return asked[-1]

    answer = with_locale(choose).app.test_client().get(f"{SIGN_IN}?lang={language}")
    assert (answer.status_code, asked) == (200, [language])


def test_a_language_can_be_forced_over_a_chosen_one() -> None:
    """What was found for one locale is not said in another."""
    with with_locale(lambda: "de").app.test_request_context():
        said = [words.gettext("Sign in")]
        with force_locale("fr"):
            said.append(words.gettext("Sign in"))
        said.append(words.gettext("Sign in"))
    assert said == ["Anmelden", "Se connecter", "Anmelden"]


def test_texts_outside_of_requests() -> None:
    """A command has a language, too: the app's, or English where its selector fails."""
    for choose, text in ((lambda: "de", "Anmelden"), (Failing(), "Sign in")):
        with with_locale(choose).app.app_context():
            assert words.gettext("Sign in") == text


def test_any_number_of_locales_has_one_catalog() -> None:
    """Thousands of names that read the same files, or none, take no more memory than one."""
    site = with_locale(lambda: request.args["lang"])
    found = set()
    for number in range(300):
        with site.app.test_request_context(f"/?lang=de@{number}"):
            found.add(id(words.catalog()))
        with site.app.test_request_context(f"/?lang=sv@{number}"):
            assert words.gettext("Sign in") == "Sign in"
    with site.app.test_request_context("/?lang=de"):
        assert found == {id(words.catalog())}


def test_sentences_are_a_copy() -> None:
    """An app may change the sentences it got; the next page has ours all the same."""
    with with_locale(lambda: "de").app.test_request_context():
        sentences.translated()["done"] = "!"
        assert sentences.translated()["done"] == "Fertig."


# Timezones


@pytest.mark.parametrize("choose", [lambda: "Nowhere/Land", lambda: 7, Failing()])
def test_a_failing_timezone_costs_the_timezone(choose: Callable[[], object], caplog: pytest.LogCaptureFixture) -> None:
    """The list of passkeys has its days, in the language of the page and in UTC; the log says it once a minute."""
    site = in_german(choose)
    client = site.app.test_client()
    sign_up(client, VirtualAuthenticator(SITE), "ada")
    (record,) = site.passkey_records("ada")
    with site.app.test_request_context():
        assert words.day(LATE) == "25. November 2026"
        day = words.day(record.created_at)
    for _ in range(2):
        answer = client.get("/passkeys")
        assert answer.status_code == 200 and f"Erstellt am {day}" in answer.text
    assert warnings(caplog, "timezone") == 1


def test_a_timezone_of_the_settings_that_there_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """So it is with a default timezone that is mistyped."""
    with in_german(zone="Europe/Berln").app.test_request_context():
        assert words.day(LATE) == "25. November 2026"
    assert warnings(caplog, "timezone") == 1


def test_a_failing_timezone_is_asked_for_once_in_a_request() -> None:
    """A list has many days; a selector that is slow to fail is waited for once."""
    selector = Failing()
    site = in_german(selector)
    for calls in (1, 2):
        with site.app.test_request_context():
            assert {words.day(LATE) for _ in range(5)} == {"25. November 2026"}
            assert selector.calls == calls


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=9))], ids=["name", "zoneinfo", "offset"]
)
def test_days_are_those_of_the_timezone(zone: object, caplog: pytest.LogCaptureFixture) -> None:
    """A timezone may be a name or an object of any library: the day is the one that the visitor's calendar shows."""
    with in_german(lambda: zone).app.test_request_context():
        assert words.day(LATE) == "26. November 2026"
    assert not warnings(caplog, "timezone")


@pytest.mark.parametrize(
    ("pattern", "day"), [("yyyy-MM-dd", "2026-11-25"), ("yyyyyyyyyy GGGGGGGG", "25. November 2026")]
)
def test_days_are_written_as_the_app_writes_dates(pattern: str, day: str) -> None:
    """The app's own long format of dates stays; one that Babel cannot write costs the format."""
    formats = {**Babel.default_date_formats, "date.long": pattern}
    site = make_app(before=lambda app: Babel(app, date_formats=formats, default_locale="de"))
    with site.app.test_request_context():
        assert words.day(LATE) == day
