"""Ready pages, for apps that ask for them: ``Passkey(app, pages=True)``.

Signing in happens in the browser, with ``passkey.js``; all other changes are plain forms, which work without it too.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from ..config import PasskeyConfig
from ..credentials import INVITATION
from ..errors import (
    CredentialNotFound,
    FeatureOff,
    LastCredential,
    MalformedRequest,
    Refusal,
    SignInRequired,
    StepUpRequired,
)
from ..state import common, current
from . import http, offers, schemas, sessions, views
from .routing import Place, site_at
from .ui import NOTE, PAGES, Ui, current_path

blueprint = views.HostBlueprint(PAGES, __name__)
blueprint.url_value_preprocessor(views.take_host_values)
blueprint.url_defaults(views.add_host_values)
ui = Ui()

_NOTES: dict[type[Refusal], str] = {LastCredential: "last", CredentialNotFound: "gone", MalformedRequest: "name"}


def init_app(app: Flask, config: PasskeyConfig, place: Place) -> None:
    """Add the pages, and lead people from a refused page to the one where they can do something about it."""
    app.register_blueprint(blueprint, url_prefix=config.pages_prefix, host=place.host, subdomain=place.subdomain)
    for each in (config, *config.others):
        if not each.enrol_url:  # no field of the dataclass is changed after this
            vars(each)["enrol_page"] = (site_at(app, each, place), f"{config.pages_prefix}/new")
            vars(each)["enrol_url"] = each.enrol_url_below(app.config["APPLICATION_ROOT"].rstrip("/"))
    for refusal in (SignInRequired, StepUpRequired):
        http.handle(app, refusal, lead)


# The pages


@blueprint.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the way in."""
    if sessions.visitor().info is not None:
        return redirect(_next())
    return render_template("passkey/sign-in.html", next=_next())


@blueprint.get("/sign-up")
def sign_up() -> ResponseReturnValue:
    """Show the form for a new account."""
    if not ui.can_sign_up:
        abort(404)
    if sessions.visitor().info is not None:
        return redirect(_next())
    return render_template("passkey/sign-up.html", next=_next(note="signed-up"))


@blueprint.get("")
def passkeys() -> str:
    """List the visitor's passkeys."""
    _require_sign_in()
    return render_template("passkey/passkeys.html")


@blueprint.post("/<passkey_id>/rename")
def rename(passkey_id: str) -> BaseResponse:
    """Rename a passkey, for browsers without JavaScript."""
    new_name = request.form.get("name", "")
    current().relying_party.rename(sessions.visitor(), schemas.known_id(passkey_id), new_name)
    return _list("renamed")


@blueprint.post("/<passkey_id>/delete")
def delete(passkey_id: str) -> BaseResponse:
    """Delete a passkey, for browsers without JavaScript."""
    sessions.delete_one(schemas.known_id(passkey_id))
    return _list("deleted")


@blueprint.get("/confirm")
def confirm() -> str:
    """Ask for a passkey once more, before what needs a fresh sign-in."""
    _require_sign_in()
    return render_template("passkey/confirm.html", next=_next(note="confirmed"))


@blueprint.post("/confirm")
def confirm_by_password() -> BaseResponse:
    """Take the app's password in place of a passkey, where the app checks it; ask again where it is wrong."""
    try:
        sessions.confirm_by_password(lambda: request.form.get("password", ""))
    except FeatureOff:
        abort(404)
    except StepUpRequired as refusal:
        http.refuse(refusal)
        return redirect(ui.url("confirm", next=request.args.get("next", ""), **{NOTE: "password"}))
    return redirect(_next(note="confirmed"))


@blueprint.get("/new")
def recover() -> Response:
    """Take a link or a recovery code. The link's token is behind the #, which browsers send to nobody."""
    home = ui.url("passkeys") if sessions.visitor().info else ui.url("sign_in", **{NOTE: "enrolled"})
    response = make_response(render_template("passkey/recover.html", next=home))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.post("/codes")
def codes() -> str:
    """Make recovery codes and show them, this once."""
    visitor, party = sessions.visitor(), current().relying_party
    party.require_recent_sign_in(visitor)
    return render_template("passkey/codes.html", codes=party.grants.recovery_codes(visitor.user))


@blueprint.post("/links/withdraw")
def withdraw() -> BaseResponse:
    """Take back the links that were not used yet."""
    visitor, party = sessions.visitor(), current().relying_party
    party.require_recent_sign_in(visitor)
    party.grants.withdraw(visitor.user, kind=INVITATION)
    return _list("withdrawn")


@blueprint.get("/offer")
def offer() -> ResponseReturnValue:
    """Offer a passkey after a sign-in with a password; lead on where there is nothing to offer."""
    if not ui.offers():
        return redirect(_next())
    return render_template("passkey/offer.html", next=_next())


@blueprint.post("/offer")
def not_now() -> BaseResponse:
    """Ask again in 30 days."""
    response = redirect(_next())
    if user := sessions.visitor().info:
        offers.decline(user.id, response)
    return response


def _require_sign_in() -> None:
    current().relying_party.require_sign_in(sessions.visitor())


def _list(note: str) -> BaseResponse:
    return redirect(ui.url("passkeys", **{NOTE: note}))


# Where a page leads to


def is_safe(path: str) -> bool:
    """Tell whether this is a path of this site, however browsers read it."""
    return path[:1] == "/" and path[1:2] not in ("/", "\\") and all(char > " " and char != "\x7f" for char in path)


def _next(*, note: str = "") -> str:
    """Return where the visitor wants to go on to; the list, which says something, unless that is known and safe."""
    asked = request.args.get("next", "") or _kept_next()
    return iri_to_uri(asked) if is_safe(asked) else ui.url("passkeys", **{NOTE: note})


def _kept_next() -> str:
    """Take what Flask-Login keeps in the session, where it is told to, when it leads people here."""
    return str(session.pop("next", "")) if current_app.config.get("USE_SESSION_FOR_NEXT") else ""


def _here() -> str:
    """Return the path that leads back to what is asked: of the page with the form, where it is one."""
    if request.method in ("GET", "HEAD"):
        return current_path(query=True)
    try:
        page = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # anybody can send one
        return ""
    path = f"{page.path}?{page.query}" if page.query else page.path
    return path if current().config.allows(f"{page.scheme}://{page.netloc}") else ""


# What is refused


def lead(refusal: Refusal) -> ResponseReturnValue:
    """Lead a browser that wants a page to the sign-in, or to the question who is there; refuse all others."""
    answer = http.refuse(refusal)
    return _led(refusal) if _wants_page() else answer


def _wants_page() -> bool:
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _led(refusal: Refusal) -> ResponseReturnValue:
    manager: Any = getattr(current_app, "login_manager", None)
    if isinstance(refusal, SignInRequired):
        if manager is not None and _has_sign_in(manager):
            return manager.unauthorized()  # type: ignore[no-any-return]
        return redirect(ui.url("sign_in", next=_here()))
    return redirect(ui.url("confirm", next=_here()))


def _has_sign_in(manager: Any) -> bool:
    """Tell whether Flask-Login knows where people sign in."""
    by_blueprint = manager.blueprint_login_views.get(request.blueprint)
    return bool(manager.unauthorized_callback or manager.login_view or by_blueprint)


@blueprint.errorhandler(SignInRequired)
@blueprint.errorhandler(StepUpRequired)
def _lead_on(refusal: Refusal) -> ResponseReturnValue:
    http.refuse(refusal)
    return _led(refusal)


@blueprint.errorhandler(LastCredential)
@blueprint.errorhandler(CredentialNotFound)
@blueprint.errorhandler(MalformedRequest)
def _back_to_the_list(refusal: Refusal) -> BaseResponse:
    http.refuse(refusal)
    return _list(_NOTES[type(refusal)])


@blueprint.errorhandler(Refusal)
def _in_words(refusal: Refusal) -> ResponseReturnValue:
    answer = http.refuse(refusal)
    members = answer.get_json()
    page = render_template("passkey/error.html", refusal=refusal, correlation_id=members["correlation_id"])
    return page, answer.status_code


# What every page goes through


@blueprint.before_request
def check_request() -> None:
    """Refuse a form that was sent from another site's page."""
    if request.method == "POST":
        http.refuse_cross_site(current().config, request.environ)


@blueprint.after_request
def add_headers(response: Response) -> Response:
    """Keep the pages out of caches and frames, unless the app says otherwise later."""
    response.headers["Cache-Control"] = "no-store"
    if not common().config.allow_cross_origin:
        response.headers.setdefault("X-Frame-Options", "DENY")
    return response
