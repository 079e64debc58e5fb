"""The ready pages: what they show, where they lead, and what they do for browsers without JavaScript."""

from __future__ import annotations

import configparser
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from apps import App, User, make_app
from flask import Flask, render_template_string, request, session
from flask.testing import FlaskClient
from flask_babel import Babel
from flask_login import LoginManager, login_required
from flask_wtf.csrf import CSRFProtect
from jinja2 import DictLoader
from werkzeug.test import TestResponse

from flask_passkey import ConfigurationError, Passkey, PasskeyConfig
from flask_passkey.errors import StepUpRequired
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in, sign_up
from flask_passkey.web import words
from flask_passkey.web.pages import is_safe

pytestmark = pytest.mark.proves("frictions:own-list", "frictions:pages")

ORIGIN = "http://localhost"
PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def site() -> App:
    """An app with the ready pages, and a page of its own that needs care."""
    made = make_app(pages=True)
    money(made)
    return made


def money(site: App) -> None:
    """Give an app a page that needs care."""

    @site.app.route("/money", methods=["GET", "POST"])
    @site.passkey.required()
    def money() -> str:
        return "money"


@pytest.fixture
def authenticator() -> VirtualAuthenticator:
    """An authenticator at the app."""
    return VirtualAuthenticator(ORIGIN)


@pytest.fixture
def ada(site: App, authenticator: VirtualAuthenticator) -> FlaskClient:
    """A browser in which somebody has just signed up and in."""
    return come_in(site, authenticator)


def come_in(site: App, authenticator: VirtualAuthenticator) -> FlaskClient:
    """Return a browser in which somebody has just signed up and in."""
    client = site.app.test_client()
    sign_up(client, authenticator, "ada")
    sign_in(client, authenticator)
    return client


def ids(page: str) -> list[str]:
    """Return the ids of the passkeys in a list."""
    return re.findall(r'data-name="([^"]+)"', page)


def led_to(response: TestResponse) -> tuple[str, dict[str, str]]:
    """Return the path and the query of a redirect."""
    assert response.status_code == 302
    parts = urlsplit(response.headers["Location"])
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def get_stale(site: App) -> None:
    """Let every sign-in be too long ago."""
    party = site.app.extensions["passkey_state"].relying_party
    object.__setattr__(party.config, "step_up_age", -1)


# Which pages there are


def test_there_are_none_unless_asked_for() -> None:
    """Without pages=True an app has none of them, and none of their addresses."""
    client = make_app().app.test_client()
    assert client.get("/passkeys").status_code == 404


@pytest.mark.proves("rules:no-store")
@pytest.mark.parametrize("page", ["sign-in", "sign-up", "new"])
def test_pages_for_everybody(site: App, page: str) -> None:
    """Whoever is not signed in finds the way in, a way to an account, and the way back; all kept out of caches."""
    response = site.app.test_client().get(f"/passkeys/{page}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"


def test_no_sign_up_where_it_is_off() -> None:
    """Where people cannot create an account there is no page for it, and no link to one."""
    client = make_app(pages=True, sign_up=False).app.test_client()
    assert client.get("/passkeys/sign-up").status_code == 404
    assert "/passkeys/sign-up" not in client.get("/passkeys/sign-in").text


def test_prefix_is_a_setting() -> None:
    """The pages are where the app wants them; not at the root, where they would take every address."""
    client = make_app({"PASSKEY_PAGES_PREFIX": "/account/keys"}, pages=True).app.test_client()
    assert client.get("/account/keys/sign-in").status_code == 200
    with pytest.raises(ConfigurationError, match="Write PASSKEY_PAGES_PREFIX = '/passkeys'"):
        PasskeyConfig.from_mapping({"PASSKEY_RP_ID": "example.com", "PASSKEY_PAGES_PREFIX": "/"})


@pytest.mark.proves("threats:script-in-names")
def test_nothing_inline(site: App, ada: FlaskClient) -> None:
    """No page has a style or a script in it, so the strictest Content-Security-Policy will do."""
    pages = [ada.get(f"/passkeys{path}").text for path in ("", "/confirm", "/new")]
    pages += [site.app.test_client().get(f"/passkeys/{path}").text for path in ("sign-in", "sign-up")]
    for page in [*pages, ada.post("/passkeys/codes").text]:
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", page)


def test_pages_extend_the_apps_own() -> None:
    """With PASSKEY_BASE_TEMPLATE the pages stand in the app's own, in its block "content"."""
    site = make_app({"PASSKEY_BASE_TEMPLATE": "own.html"}, pages=True)
    own = "<title>{% block title %}{% endblock %} – mine</title>{{ _ }}<p>own</p>{% block content %}{% endblock %}"
    site.app.jinja_loader = DictLoader({"own.html": own})
    site.app.jinja_env.globals["_"] = "the app's"
    page = site.app.test_client().get("/passkeys/sign-in").text
    assert page.startswith("<title>Sign in – mine</title>the app&#39;s<p>own</p>")
    assert "passkey.css" in page


# The list


def test_list_has_what_is_known(ada: FlaskClient, site: App) -> None:
    """A row has the name, the kind of device, the dates, and whether it is the one in use."""
    stick = VirtualAuthenticator(
        ORIGIN, transports=["usb"], default_backup_eligibility=False, default_backup_state=False
    )
    add_passkey(ada, stick, passkey_name="Blue <key>")
    page = ada.get("/passkeys").text
    assert "Each of them signs you in as ada." in page
    assert "Blue &lt;key&gt;" in page
    assert "Security key" in page
    assert "Used to sign in now" in page
    assert len(ids(page)) == 2


def test_rename_by_a_form(ada: FlaskClient) -> None:
    """A passkey gets another name without JavaScript, and the page says so."""
    (passkey_id,) = ids(ada.get("/passkeys").text)
    answer = ada.post(f"/passkeys/{passkey_id}/rename", data={"name": "Phone"}, follow_redirects=True)
    assert "Phone" in answer.text
    assert "The passkey has its new name." in answer.text


def test_rename_says_what_is_wrong(ada: FlaskClient) -> None:
    """A name that cannot be one changes nothing, and the list says why."""
    (passkey_id,) = ids(ada.get("/passkeys").text)
    answer = ada.post(f"/passkeys/{passkey_id}/rename", data={"name": "\u202e"}, follow_redirects=True)
    assert "This name is empty, too long, or has characters that cannot be shown." in answer.text


def test_delete_by_a_form(ada: FlaskClient) -> None:
    """A passkey is deleted without JavaScript, after a question that names it."""
    add_passkey(ada, VirtualAuthenticator(ORIGIN), passkey_name="Old phone")
    page = ada.get("/passkeys").text
    assert "Delete “Old phone”?" in page
    answer = ada.post(f"/passkeys/{ids(page)[1]}/delete", follow_redirects=True)
    assert "The passkey was deleted here." in answer.text
    assert len(ids(answer.text)) == 1


def test_last_one_stays(ada: FlaskClient, site: App) -> None:
    """The only passkey cannot be deleted: there is no button, and a form that comes all the same is refused."""
    page = ada.get("/passkeys").text
    assert "Delete passkey" not in page
    answer = ada.post(f"/passkeys/{ids(page)[0]}/delete", follow_redirects=True)
    assert "This is your only passkey. Add another one before you delete it." in answer.text
    site.has_other_methods = True
    assert "It is your only passkey: you will have to sign in in another way." in ada.get("/passkeys").text


def test_unknown_passkey(ada: FlaskClient) -> None:
    """A passkey that is gone, or never was one, is told of on the list."""
    answer = ada.post("/passkeys/AAAA/delete", follow_redirects=True)
    assert "This passkey is no longer in your list." in answer.text


# Forms of other sites


@pytest.mark.parametrize("path", ["x/rename", "x/delete", "codes", "links/withdraw", "offer"])
def test_forms_of_other_sites(ada: FlaskClient, path: str) -> None:
    """What another site's page sends is refused, in words."""
    answer = ada.post(f"/passkeys/{path}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "This request is not allowed." in answer.text
    assert answer.mimetype == "text/html"


def test_csrf_protection_of_the_app(authenticator: VirtualAuthenticator) -> None:
    """Where the app has Flask-WTF's protection, the forms bring its token, and without it are refused."""
    site = make_app(pages=True, before=CSRFProtect)
    ada = come_in(site, authenticator)
    page = ada.get("/passkeys").text
    (passkey_id,) = ids(page)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    assert ada.post(f"/passkeys/{passkey_id}/rename", data={"name": "Phone"}).status_code == 400
    done = ada.post(f"/passkeys/{passkey_id}/rename", data={"name": "Phone", "csrf_token": token})
    assert led_to(done) == ("/passkeys", {"passkey": "renamed"})


# A fresh sign-in


def test_a_page_leads_to_the_question(site: App, ada: FlaskClient) -> None:
    """A browser that wants a page that needs a fresh sign-in is led to the question, and from there back."""
    get_stale(site)
    path, query = led_to(ada.get("/money?to=bob&sum=1", headers=PAGE))
    assert (path, query) == ("/passkeys/confirm", {"next": "/money?to=bob&sum=1"})
    page = ada.get(f"{path}?next=%2Fmoney%3Fto%3Dbob%26sum%3D1").text
    assert 'data-passkey="step-up" data-passkey-next="/money?to=bob&amp;sum=1"' in page


@pytest.mark.parametrize("name", ["a b.pdf", "a?b", "a#b", "100%", "a%20b", "a+b&c", "ä ö"])
@pytest.mark.parametrize("query", ["", "?x=1&y=a%20b%26c"])
def test_pages_of_any_name_lead_back_to_themselves(
    site: App, authenticator: VirtualAuthenticator, name: str, query: str
) -> None:
    """Whatever a page's path is made of, the question leads back to that very page, and so does the sign-in."""

    @site.app.get("/files/<name>")
    @site.passkey.required()
    def file(name: str) -> list[str]:
        return [name, request.query_string.decode()]

    ada, asked = come_in(site, authenticator), f"/files/{quote(name)}{query}"
    signed_out = site.app.test_client().get(asked, headers=PAGE)
    assert ada.get(signed_out.headers["Location"], follow_redirects=True).get_json() == [name, query[1:]]
    get_stale(site)
    question = ada.get(ada.get(asked, headers=PAGE).headers["Location"]).text
    (back,) = re.findall('data-passkey-next="([^"]*)"', question)
    site.app.view_functions["file"] = lambda name: [name, request.query_string.decode()]
    assert ada.get(unescape(back)).get_json() == [name, query[1:]]


def test_nobody_is_led_to_the_sign_in(site: App) -> None:
    """A browser in which nobody is signed in is led to the way in, and from there back."""
    path, query = led_to(site.app.test_client().get("/money", headers=PAGE))
    assert (path, query) == ("/passkeys/sign-in", {"next": "/money"})


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/json"}, {**PAGE, "Sec-Fetch-Mode": "cors"}])
def test_scripts_get_the_envelope(site: App, ada: FlaskClient, headers: dict[str, str]) -> None:
    """Whatever is not a browser that wants a page gets the envelope, as without the pages."""
    get_stale(site)
    answer = ada.get("/money", headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, 40091)


@pytest.mark.parametrize(
    ("referer", "query"),
    [
        ("http://localhost/pay?to=bob", {"next": "/pay?to=bob"}),
        ("https://evil.example/pay", {}),
        ("", {}),
    ],
)
def test_a_form_leads_back_to_its_page(site: App, ada: FlaskClient, referer: str, query: dict[str, str]) -> None:
    """After a form that needs care people come back to the page with the form, if it is this site's."""
    get_stale(site)
    headers = {**PAGE, "Sec-Fetch-Mode": "navigate", "Referer": referer}
    assert led_to(ada.post("/money", headers=headers)) == ("/passkeys/confirm", query)


def test_own_forms_lead_to_the_question(site: App, ada: FlaskClient) -> None:
    """So do the forms of the pages, for whoever sends them."""
    (passkey_id,) = ids(ada.get("/passkeys").text)
    get_stale(site)
    for path in (f"{passkey_id}/rename", f"{passkey_id}/delete", "codes", "links/withdraw"):
        assert led_to(ada.post(f"/passkeys/{path}", data={"name": "x"}))[0] == "/passkeys/confirm"
    assert len(site.passkey_records("ada")) == 1


def test_handlers_of_the_app_come_first(authenticator: VirtualAuthenticator) -> None:
    """An app that answers such refusals itself goes on doing so."""
    site = make_app(pages=True)
    site.app.register_error_handler(StepUpRequired, lambda error: ("own", 403))
    money(site)
    ada = come_in(site, authenticator)
    get_stale(site)
    assert ada.get("/money", headers=PAGE).text == "own"


def test_sign_in_of_flask_login() -> None:
    """Where Flask-Login knows the app's own way in, that is where people are led."""
    site = make_app(pages=True, flask_login=True)
    manager: Any = site.app.login_manager  # type: ignore[attr-defined]
    site.app.add_url_rule("/own-sign-in", "own_sign_in", lambda: "")
    client = site.app.test_client()
    assert led_to(client.get("/passkeys", headers=PAGE))[0] == "/passkeys/sign-in"
    manager.login_view = "own_sign_in"
    assert led_to(client.get("/passkeys", headers=PAGE)) == ("/own-sign-in", {"next": "/passkeys"})
    assert isinstance(manager, LoginManager)


@pytest.mark.parametrize("kept", [False, True])
def test_where_flask_login_wants_to_go_on_to(kept: bool) -> None:
    """The page leads on to where Flask-Login sent people away from, also where it keeps that in the session."""
    site = make_app({"USE_SESSION_FOR_NEXT": kept}, pages=True, flask_login=True)
    manager: Any = site.app.login_manager  # type: ignore[attr-defined]
    manager.login_view = "passkey_pages.sign_in"
    site.app.add_url_rule("/members", "members", login_required(lambda: "members"))
    client = site.app.test_client()
    sent = client.get("/members", headers=PAGE)
    assert led_to(sent) == ("/passkeys/sign-in", {} if kept else {"next": "/members"})
    assert 'data-passkey-next="/members"' in client.get(sent.headers["Location"]).text
    assert 'data-passkey-next="/passkeys"' in client.get("/passkeys/sign-in").text, "next time it is another one"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "javascript:x", "", "x"]
)
def test_unsafe_addresses(site: App, ada: FlaskClient, path: str) -> None:
    """No page leads to another site, whatever its address says."""
    assert not is_safe(path)
    assert led_to(ada.get("/passkeys/sign-in", query_string={"next": path}))[0] == "/passkeys"
    assert "evil" not in ada.get("/passkeys/confirm", query_string={"next": path}).text


# Links and codes


def test_links_lead_to_the_page(site: App, ada: FlaskClient) -> None:
    """With the pages a link leads to theirs; it names no token to other sites, and to open it spends nothing."""
    with site.app.app_context():
        invitation = site.passkey.invite(site.user("ada"))
    assert invitation.url == f"http://localhost/passkeys/new#{invitation.token}"
    for _ in range(2):
        assert site.app.test_client().get("/passkeys/new").headers["Referrer-Policy"] == "no-referrer"
    assert "There is 1 link for a new passkey that was not used yet" in ada.get("/passkeys").text
    assert led_to(ada.post("/passkeys/links/withdraw")) == ("/passkeys", {"passkey": "withdrawn"})
    with site.app.app_context():
        assert site.passkey.grants_of(site.user("ada")) == []


def test_own_page_for_links() -> None:
    """An address of the app's own for links stays."""
    site = make_app({"PASSKEY_ENROL_URL": "http://localhost/welcome"}, pages=True)
    with site.app.app_context():
        assert site.passkey.config.enrol_url == "http://localhost/welcome"


def test_codes_are_shown_once(site: App, ada: FlaskClient) -> None:
    """Recovery codes are made after a fresh sign-in, shown once, and counted from then on."""
    codes = re.findall(r"<code>([^<]+)</code>", ada.post("/passkeys/codes").text)
    assert len(codes) == 8
    page = ada.get("/passkeys").text
    assert not [code for code in codes if code in page]
    assert "You have 8 recovery codes that were not used yet." in page


# The offer after a password


@pytest.fixture
def password(site: App) -> FlaskClient:
    """A browser in which somebody without a passkey has just signed in with a password."""

    @site.app.post("/password/<name>")
    def sign_in_with_password(name: str) -> str:
        user = site.users.setdefault(name, User(name, id=name))
        session["user_id"] = user.id
        site.passkey.offer_passkey()
        return ""

    client = site.app.test_client()
    client.post("/password/bob")
    return client


def test_offer(password: FlaskClient) -> None:
    """After a password sign-in the page offers a passkey, to the browser and to the person."""
    page = password.get("/passkeys/offer?next=/home").text
    assert 'data-passkey-offer data-passkey-user="bob" data-passkey-next="/home"' in page
    assert "Create a passkey for bob." in page


def test_not_now_holds_for_30_days(password: FlaskClient) -> None:
    """Whoever says "not now" goes on, and is asked again in 30 days; others who use the browser are asked."""
    answer = password.post("/passkeys/offer?next=/home")
    assert led_to(answer)[0] == "/home"
    assert "Max-Age=2592000; HttpOnly; Path=/; SameSite=Lax" in answer.headers["Set-Cookie"]
    password.post("/password/bob")
    assert led_to(password.get("/passkeys/offer?next=/home"))[0] == "/home"
    password.post("/password/eve")
    assert password.get("/passkeys/offer").status_code == 200


def test_no_offer_for_those_who_have_one(ada: FlaskClient) -> None:
    """Without an offer, or with a passkey, the page leads on at once."""
    assert led_to(ada.get("/passkeys/offer?next=/home"))[0] == "/home"


# Macros alone


def test_macros_without_the_pages(authenticator: VirtualAuthenticator) -> None:
    """The macros work in a page of the app's own, which has no ready pages."""
    site = make_app()
    source = '{% from "passkey/macros.html" import assets, passkeys, sign_in %}{{ assets() }}{{ '

    @site.app.get("/in")
    def sign_in_page() -> str:
        return render_template_string(source + 'sign_in(next="/home", level=2) }}')

    @site.app.get("/mine")
    def mine() -> str:
        return render_template_string(source + "passkeys(level=2) }}")

    ada = come_in(site, authenticator)
    page = ada.get("/in").text
    assert '<h2 class="passkey-title">Sign in</h2>' in page
    assert 'data-passkey-next="/home"' in page
    page = ada.get("/mine").text
    assert 'data-passkey-next="/mine?passkey=renamed"' in page
    assert 'method="post"' not in page, "there is nothing that would take it"


def test_a_button_beside_a_password() -> None:
    """A page with a form for passwords has a button beside it, whose autofill is the form's name field."""
    site = make_app()
    source = '{% from "passkey/macros.html" import sign_in_button %}{{ sign_in_button("/home") }}'
    site.app.add_url_rule("/in", "in", lambda: render_template_string(source))
    page = site.app.test_client().get("/in").text
    assert 'data-passkey="authenticate" data-passkey-autofill data-passkey-next="/home"' in page
    assert "<form" not in page


def test_names_are_sent_where_the_server_takes_them() -> None:
    """The field of the sign-in is there for autofill only, unless the server takes names."""
    alone = '<div class="passkey-field" data-passkey-if="conditionalGet" hidden>'
    page = make_app(pages=True).app.test_client().get("/passkeys/sign-in").text
    assert alone in page and "data-passkey-names" not in page
    by_name = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True, pages=True)
    page = by_name.app.test_client().get("/passkeys/sign-in").text
    assert alone not in page and "data-passkey-names" in page


def test_refused_registration_is_not_changed(site: App) -> None:
    """The JSON routes answer as they do without the pages, to browsers too."""
    with pytest.raises(Refused) as refused:
        add_passkey(site.app.test_client(), VirtualAuthenticator(ORIGIN))
    assert refused.value.code == 401


def test_init_app_decides_for_each_app() -> None:
    """One extension can serve an app with the pages and one without."""
    passkey = Passkey(pages=True)
    assert isinstance(passkey, Passkey)
    for pages in (None, False):
        app = Flask(f"app-{pages}")
        app.config.update(
            TESTING=True, SECRET_KEY="x", PASSKEY_CEREMONY_STORE="database", PASSKEY_DATABASE_URI="sqlite://"
        )
        passkey.init_app(app, pages=pages)
        assert ("passkey_pages" in app.blueprints) is (pages is None)


# Where the app has the pages


def test_under_another_name_and_at_a_host() -> None:
    """The pages are where the routes are, whatever the app calls those, on which host, and in which part of a site."""
    app = Flask("hosts", host_matching=True, static_host="accounts.example.com")
    app.config.update(
        TESTING=True,
        SECRET_KEY="x",
        APPLICATION_ROOT="/shop",
        PASSKEY_RP_ID="example.com",
        PASSKEY_ORIGINS="https://accounts.example.com",
        PASSKEY_RELYING_PARTIES={"example.org": {"origins": ["https://example.org"]}},
        PASSKEY_CEREMONY_STORE="database",
        PASSKEY_DATABASE_URI="sqlite://",
    )
    passkey = Passkey(app, blueprint_name="webauthn", host="accounts.example.com", pages=True)
    passkey.get_current_user(lambda: None)
    client = app.test_client()
    missing = client.get("/passkeys", base_url="https://accounts.example.com")
    assert (missing.status_code, missing.mimetype) == (500, "text/html"), "in words, also without the hook"
    passkey.rp_id_for(lambda: "example.com")
    page = client.get("/passkeys/sign-in", base_url="https://accounts.example.com")
    assert 'src="/passkey/static/passkey.min.js?v=' in page.text
    assert client.get("/passkeys/sign-in", base_url="https://example.com").status_code == 404
    with app.app_context():
        assert passkey.config.enrol_url == "https://accounts.example.com/shop/passkeys/new"
        assert passkey.config.others[0].enrol_url == "https://example.org/shop/passkeys/new"


def test_mounted_below_the_root(site: App, authenticator: VirtualAuthenticator) -> None:
    """Below another path of the site every address has it, also that which leads back."""
    ada = come_in(site, authenticator)
    below = {"SCRIPT_NAME": "/shop"}
    get_stale(site)
    assert led_to(ada.get("/money?a=b", headers=PAGE, environ_overrides=below)) == (
        "/shop/passkeys/confirm",
        {"next": "/shop/money?a=b"},
    )
    assert 'action="/shop/passkeys/codes"' in ada.get("/passkeys", environ_overrides=below).text
    assert 'data-passkey-next="/shop/passkeys?passkey=added"' in ada.get("/passkeys", environ_overrides=below).text


def test_wheel_has_all_files() -> None:
    """Whatever is in the package and no Python is listed in setup.cfg, so that it is in the wheel.

    What catalogs are made of is for translators.
    """
    clone = Path(__file__).parents[1]
    root, setup = clone / "flask_passkey", configparser.ConfigParser()
    setup.read(clone / "setup.cfg")
    patterns = setup["options.package_data"]["flask_passkey"].split()
    listed = {path for pattern in patterns for path in root.glob(pattern)}
    left_out = (".py", ".pyc", ".po", ".pot", ".cfg")
    there = {path for path in root.rglob("*") if path.is_file() and path.suffix not in left_out}
    assert there <= listed


# The visitor's language


def test_texts_of_the_language(authenticator: VirtualAuthenticator) -> None:
    """Where the app has Flask-Babel, the pages and their days are in the language it chooses."""
    site = make_app(pages=True, before=lambda app: Babel(app, default_locale="de"))
    page = site.app.test_client().get("/passkeys/sign-in").text
    assert '<html class="passkey-html" lang="de">' in page
    assert "<title>Anmelden</title>" in page
    ada = come_in(site, authenticator)
    add_passkey(ada, VirtualAuthenticator(ORIGIN), passkey_name="<b>%(x)s")
    ada.post("/passkeys/codes")
    page = ada.get("/passkeys").text
    assert "„&lt;b&gt;%(x)s“ löschen?" in page
    assert "Sie haben 8 Notfallcodes, die noch nicht verwendet wurden." in page
    with site.app.test_request_context():
        assert words.day(datetime(2026, 11, 25, tzinfo=UTC)) == "25. November 2026"


def test_texts_without_babel(site: App) -> None:
    """Without it they are English, with values in their places."""
    with site.app.test_request_context():
        assert words.gettext("100 %") == "100 %"
        assert words.gettext("%(name)s is here", name="ada") == "ada is here"
        assert words.ngettext("%(num)s code", "%(num)s codes", 1) == "1 code"
        assert words.ngettext("%(num)s code", "%(num)s codes", 2) == "2 codes"
        assert words.day(datetime(2026, 1, 5, tzinfo=UTC)) == "5 January 2026"
        site.app.extensions["babel"] = object()  # another extension's
        assert words.language() == "en"
