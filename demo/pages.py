"""The demo's pages. Signing in happens in the browser, with ``passkey.js``; all other changes work without it too."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from flask import Blueprint, Flask, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask_babel import LazyString, gettext, lazy_gettext
from flask_login import current_user, login_required, logout_user
from werkzeug.wrappers import Response

from flask_passkey import Passkey, Refusal
from flask_passkey.errors import CredentialNotFound, LastCredential, MalformedRequest, StepUpRequired
from flask_passkey.names import clean_display_name

from .accounts import Accounts

blueprint = Blueprint("pages", __name__)

#: What a refusal is called on a page.
WORDS: dict[type[Refusal], LazyString] = {
    StepUpRequired: lazy_gettext("First confirm that it is you, then make the change again."),
    LastCredential: lazy_gettext("This is your only passkey. Add another one before you delete it."),
    CredentialNotFound: lazy_gettext("This passkey is no longer in your list."),
    MalformedRequest: lazy_gettext("This name is empty, too long, or has characters that cannot be shown."),
}


def init_app(app: Flask) -> None:
    """Add the pages."""
    app.register_blueprint(blueprint)


@blueprint.get("/")
def index() -> Response:
    """Send people to what they can do."""
    return redirect(url_for("pages.passkeys" if current_user.is_authenticated else "pages.sign_in"))


@blueprint.get("/sign-in")
def sign_in() -> str | Response:
    """Show the way in."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.passkeys"))
    notice = gettext("You are signed out.") if "signed_out" in request.args else ""
    return render_template("sign-in.html", notice=notice)


@blueprint.get("/sign-up")
def sign_up() -> str | Response:
    """Show the form for a new account."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.passkeys"))
    return render_template("sign-up.html")


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Forget who is signed in. The page that says so is told by its address, as nobody has a session any more."""
    if session:
        logout_user()
        session.clear()
    return redirect(url_for("pages.sign_in", signed_out=1))


@blueprint.get("/passkeys")
@login_required  # type: ignore[untyped-decorator]
def passkeys() -> str:
    """List the visitor's passkeys."""
    grants = _passkey().grants_of(current_user)
    return render_template(
        "passkeys.html",
        rows=_passkey().list_passkeys(),
        codes=[grant for grant in grants if grant.kind == "recovery-code"],
        links=[grant for grant in grants if grant.kind == "invitation"],
        sync=session.pop("sync", False),
    )


@blueprint.post("/passkeys/<credential_id>/rename")
@login_required  # type: ignore[untyped-decorator]
def rename(credential_id: str) -> Response:
    """Rename a passkey, for browsers without JavaScript."""
    _passkey().rename_passkey(credential_id, request.form.get("name", ""))
    return _done(gettext("The passkey has its new name."))


@blueprint.post("/passkeys/<credential_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def delete(credential_id: str) -> Response:
    """Delete a passkey, for browsers without JavaScript."""
    _passkey().delete_passkey(credential_id)
    text = gettext("The passkey was deleted here. Delete it from your password manager too, if it is still offered.")
    return _done(text)


@blueprint.post("/account")
@login_required  # type: ignore[untyped-decorator]
def account() -> Response:
    """Change what the visitor likes to be called; the page that follows tells the password manager."""
    accounts: Accounts = current_app.extensions["demo_accounts"]
    accounts.call(current_user.id, clean_display_name(request.form.get("display_name", "")))
    return _done(gettext("Your name was changed."))


# When somebody loses their passkey


@blueprint.get("/lost")
def lost() -> str:
    """Say what to do now. Nobody is asked for a name, so nobody learns who has an account."""
    return render_template("lost.html")


@blueprint.get("/enrol")
def enrol() -> Response:
    """Take a link or a recovery code. The link's token is behind the #, which browsers send to nobody."""
    response = current_app.make_response(render_template("enrol.html"))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.post("/recovery-codes")
@login_required  # type: ignore[untyped-decorator]
def recovery_codes() -> str:
    """Make new codes and show them, this once."""
    passkey = _passkey()
    passkey.relying_party.require_recent_sign_in(passkey.visitor())
    codes = passkey.recovery_codes(current_user)
    return render_template("recovery-codes.html", codes=codes, host=request.host)


@blueprint.post("/links/withdraw")
@login_required  # type: ignore[untyped-decorator]
def withdraw_links() -> Response:
    """Take back the links that were not used yet."""
    passkey = _passkey()
    passkey.relying_party.require_recent_sign_in(passkey.visitor())
    passkey.withdraw(current_user, kind="invitation")
    return _done(gettext("The link is good for nothing now."))


def _done(text: str) -> Response:
    """Go back to the list, which says what was done and brings the password manager up to date."""
    flash(text)
    session["sync"] = True
    return redirect(url_for("pages.passkeys"))


def _passkey() -> Passkey:
    extension: Passkey = current_app.extensions["passkey"]
    return extension


# What every page goes through


@blueprint.before_request
def _at_localhost() -> Response | None:
    """Send browsers from 127.0.0.1, where passkeys cannot work, to the same page at localhost."""
    if request.method != "GET" or _passkey().config.rp_id != "localhost" or not _is_ip(_host(), loopback=True):
        return None
    return redirect(_at(request.url, "localhost"))


@blueprint.before_request
def _same_site() -> None:
    if request.method == "POST":
        _passkey().refuse_cross_site()


@blueprint.before_request
def _not_too_large() -> None:
    """Refuse a form that is too large before it is read; one of unknown length is read up to the limit."""
    if (request.content_length or 0) > (request.max_content_length or 0):
        abort(413)


@blueprint.context_processor
def _for_all_pages() -> dict[str, Any]:
    return {"user": current_user, "address": _wrong_address()}


def _wrong_address() -> dict[str, str] | None:
    """Return where to go instead, when passkeys cannot work at the address in the browser's bar."""
    config = _passkey().config
    if _is_ip(config.rp_id):
        return {"host": config.rp_id, "instead": _at(request.url_root, "localhost"), "why": "rp_id"}
    if _is_ip(_host()):
        return {"host": _host(), "instead": _at(request.url_root, "localhost"), "why": "ip"}
    hosts = {urlsplit(origin).netloc for origin in config.all_origins}
    if request.host not in hosts and not config.allows(f"http://{request.host}"):
        why = "origin" if request.is_secure or _host() == "localhost" else "http"
        return {"host": request.host, "instead": config.origins[0], "why": why}
    return None


def _host() -> str:
    return urlsplit(request.host_url).hostname or ""


def _is_ip(text: str, *, loopback: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or not loopback


def _at(url: str, host: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=host + port))


# What is refused, said on the list


@blueprint.errorhandler(StepUpRequired)
@blueprint.errorhandler(LastCredential)
@blueprint.errorhandler(CredentialNotFound)
@blueprint.errorhandler(MalformedRequest)
def _back_to_the_list(refusal: Refusal) -> Response:
    flash(str(WORDS[type(refusal)]), "step-up" if isinstance(refusal, StepUpRequired) else "alert")
    return redirect(url_for("pages.passkeys"))
