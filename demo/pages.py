"""The demo's pages. Signing in happens in the browser, with ``passkey.js``; all other changes work without it too."""

from __future__ import annotations

import ipaddress
import traceback
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_required, logout_user
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from flask_passkey import CredentialRecord, Passkey, Refusal
from flask_passkey.errors import (
    CredentialNotFound,
    CrossSiteRequest,
    LastCredential,
    MalformedRequest,
    StepUpRequired,
)
from flask_passkey.schemas import BeginRegistrationRequest, RenameRequest, credential, read_credential_id

from .accounts import Accounts

blueprint = Blueprint("pages", __name__)

#: What a refusal is called on a page.
WORDS: dict[type[Refusal], str] = {
    StepUpRequired: "First confirm that it is you, then make the change again.",
    LastCredential: "This is your only passkey. Add another one before you delete it.",
    CredentialNotFound: "This passkey is no longer in your list.",
    MalformedRequest: "This name is empty, too long, or has characters that cannot be shown.",
}
#: Seconds after which a page that is not available may be tried again.
RETRY_AFTER = 10
ERRORS = {
    403: ("This was not allowed", "The request came from another site, or from an address that is not set up here."),
    404: ("Page not found", "There is nothing at this address."),
    429: ("Too many tries", "Please wait a minute, then try again."),
    503: ("Not available", "The service is unavailable for the moment. Please try again soon."),
}


def init_app(app: Flask) -> None:
    """Add the pages and the pages for what goes wrong."""
    app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _error_page)
    app.register_error_handler(Refusal, _refusal_page)


@blueprint.get("/")
def index() -> Response:
    """Send people to what they can do."""
    return redirect(url_for("pages.passkeys" if current_user.is_authenticated else "pages.sign_in"))


@blueprint.get("/sign-in")
def sign_in() -> str | Response:
    """Show the way in."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.passkeys"))
    return render_template("sign-in.html")


@blueprint.get("/sign-up")
def sign_up() -> str | Response:
    """Show the form for a new account."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.passkeys"))
    return render_template("sign-up.html")


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Forget who is signed in."""
    logout_user()
    session.clear()
    flash("You are signed out.")
    return redirect(url_for("pages.sign_in"))


@blueprint.get("/passkeys")
@login_required  # type: ignore[untyped-decorator]
def passkeys() -> str:
    """List the visitor's passkeys."""
    passkey = _passkey()
    kept = passkey.relying_party.list_credentials(passkey.visitor())
    rows = [_row(record, current=kept.current) for record in kept.credentials]
    return render_template("passkeys.html", rows=rows, sync=session.pop("sync", False))


@blueprint.post("/passkeys/<credential_id>/rename")
@login_required  # type: ignore[untyped-decorator]
def rename(credential_id: str) -> Response:
    """Rename a passkey, for browsers without JavaScript."""
    passkey = _passkey()
    name = RenameRequest.read({"name": request.form.get("name", "")})["name"]
    passkey.relying_party.rename(passkey.visitor(), _id(credential_id), name)
    return _done("The passkey has its new name.")


@blueprint.post("/passkeys/<credential_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def delete(credential_id: str) -> Response:
    """Delete a passkey, for browsers without JavaScript."""
    passkey = _passkey()
    outcome = passkey.relying_party.delete(passkey.visitor(), [_id(credential_id)])
    for refusal in outcome.refused.values():
        raise refusal
    return _done("The passkey was deleted here. Delete it from your password manager too.")


@blueprint.post("/account")
@login_required  # type: ignore[untyped-decorator]
def account() -> Response:
    """Change what the visitor likes to be called; the page that follows tells the password manager."""
    names = {"name": current_user.name, "display_name": request.form.get("display_name", "")}
    accounts: Accounts = current_app.extensions["demo_accounts"]
    accounts.call(current_user.id, BeginRegistrationRequest.read(names)["display_name"])
    return _done("Your name was changed.")


def _done(text: str) -> Response:
    """Go back to the list, which says what was done and brings the password manager up to date."""
    flash(text)
    session["sync"] = True
    return redirect(url_for("pages.passkeys"))


def _passkey() -> Passkey:
    extension: Passkey = current_app.extensions["passkey"]
    return extension


def _id(text: str) -> bytes:
    decoded = read_credential_id(text)
    if decoded is None:
        raise CredentialNotFound("no credential can have this ID")
    return decoded


def _row(record: CredentialRecord, *, current: bytes | None) -> dict[str, Any]:
    """Return what the API tells of a credential, with its times to be written out."""
    return {
        **credential(record, current=current, icon_url=_icon_url),
        "created": record.created_at,
        "used": record.last_used_at,
    }


def _icon_url(aaguid: str, theme: str) -> str:
    return url_for("passkey.provider_icon", aaguid=aaguid, theme=theme)


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
    if request.host not in {urlsplit(origin).netloc for origin in config.all_origins}:
        return {"host": request.host, "instead": config.origins[0], "why": "origin"}
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


# What goes wrong


@blueprint.errorhandler(StepUpRequired)
@blueprint.errorhandler(LastCredential)
@blueprint.errorhandler(CredentialNotFound)
@blueprint.errorhandler(MalformedRequest)
def _back_to_the_list(refusal: Refusal) -> Response:
    flash(WORDS[type(refusal)], "step-up" if isinstance(refusal, StepUpRequired) else "alert")
    return redirect(url_for("pages.passkeys"))


def _refusal_page(refusal: Refusal) -> Response:
    current_app.logger.warning("Refused a page: %s", refusal.reason, exc_info=refusal.__cause__)
    return _page(403 if isinstance(refusal, CrossSiteRequest) else refusal.status)


def _error_page(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    cause = error.original_exception if isinstance(error, InternalServerError) else None
    return _page(503 if _is_of_the_session(cause) else error.code)


def _is_of_the_session(error: BaseException | None) -> bool:
    """Tell whether Flask could not read or save the session, which it does outside of all views."""
    frames = traceback.walk_tb(error.__traceback__ if error else None)
    return any(frame.f_code.co_name in ("open_session", "save_session") for frame, _ in frames)


def _page(status: int) -> Response:
    """Render the page of an error without looking at session and user: reading those may be what failed."""
    title, text = ERRORS.get(status, ("Something went wrong", "Please go back and try again."))
    page = current_app.jinja_env.get_template("error.html").render(title=title, text=text)
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    return current_app.make_response((page, status, headers))
