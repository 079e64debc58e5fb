"""The blueprint: parse, call the relying party, answer. The rules are elsewhere.

Routes and answers are those of the contract in the README.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, current_app, request, url_for
from werkzeug.exceptions import HTTPException, default_exceptions

from .. import signals
from ..errors import (
    BodyTooLarge,
    CredentialNotFound,
    CrossSiteRequest,
    MalformedRequest,
    MethodNotAllowed,
    Misconfigured,
    NotJSON,
    Refusal,
    SignInRequired,
    TooManyRequests,
)
from ..outcomes import Registered, SignedIn
from ..providers import icon_of
from ..visitor import Visitor
from . import http as incoming
from . import schemas, sessions

if TYPE_CHECKING:
    from ..accounts import Accounts
    from ..extension import Passkey
    from ..relying_party import RelyingParty

log = logging.getLogger(__name__)

blueprint = Blueprint("passkey", __name__, static_folder="../static", static_url_path="/passkey/static")


def _party() -> RelyingParty:
    extension: Passkey = current_app.extensions["passkey"]
    return extension.relying_party


def _visitor(party: RelyingParty) -> Visitor:
    return sessions.visitor(party.accounts, party.config)


# Sign-in and step-up


@blueprint.put("/session/authn")
def begin_sign_in() -> Response:
    """Prepare a passkey sign-in or, with ``step_up``, a repeated one by the same user."""
    party = _party()
    sent = incoming.body(party.config, optional=True)
    body = schemas.BeginSignInRequest.read(sent) if sent != {} else {}
    if body.get("step_up"):
        begun = party.begin_step_up(sessions.ensure_secret(_visitor(party), party.config))
    else:
        browser = sessions.ensure_secret(sessions.anonymous(party.config), party.config)
        begun = party.begin_sign_in(browser, user_name=body.get("user_name"))
    return answer(schemas.success(schemas.begun(begun)))


@blueprint.post("/session/authn")
def finish_sign_in() -> Response:
    """Sign in with the browser's response."""
    party = _party()
    body = schemas.FinishRequest.read(incoming.body(party.config))
    visitor = _visitor(party)
    outcome = party.finish_sign_in(visitor, body["session_id"], body["response"])
    added = _login(party.accounts, visitor, outcome)
    party.tell_signed_in(outcome)
    return answer(schemas.success(schemas.signed_in(outcome, added, icon_url=_icon_url)))


# Registration and sign-up


@blueprint.put("/user/authn")
def begin_registration() -> Response:
    """Prepare a passkey for the signed-in user or, with a name, for a new account."""
    party = _party()
    body = incoming.body(party.config, optional=True)
    visitor = sessions.ensure_secret(_visitor(party), party.config)
    if visitor.user is not None:
        adding = schemas.BeginRegistrationRequest.read(body)
        begun = party.begin_registration(visitor, **adding)
        if adding["conditional"]:
            sessions.forget_offer()
    elif body:
        begun = party.begin_sign_up(visitor, **schemas.BeginSignUpRequest.read(body))
    else:
        raise SignInRequired("nobody is signed in, and the request names no account to create")
    return answer(schemas.success(schemas.begun(begun)))


@blueprint.post("/user/authn")
def finish_registration() -> Response:
    """Add the passkey the browser made; after a sign-up its account is signed in."""
    party = _party()
    body = schemas.FinishRequest.read(incoming.body(party.config))
    visitor = _visitor(party)
    outcome = party.finish_registration(
        visitor, body["session_id"], body["response"], label=body["name"], user_agent=request.user_agent.string
    )
    current = visitor.last_sign_in.credential_id if visitor.last_sign_in else None
    if outcome.new_user is not None and outcome.may_sign_in:
        _login(party.accounts, visitor, outcome)
        current = outcome.credential.id
    return answer(schemas.success(schemas.credential(outcome.credential, current=current, icon_url=_icon_url)))


# The user's own credentials


@blueprint.get("/user/authn")
def list_credentials() -> Response:
    """List the signed-in user's passkeys."""
    party = _party()
    outcome = party.list_credentials(_visitor(party))
    return answer(schemas.success(schemas.credential_list(outcome, icon_url=_icon_url)))


@blueprint.patch("/user/authn/<credential_id>")
def rename_credential(credential_id: str) -> Response:
    """Give one of the signed-in user's passkeys another name."""
    party = _party()
    body = schemas.RenameRequest.read(incoming.body(party.config))
    visitor = _visitor(party)
    record = party.rename(visitor, _known(credential_id), body["name"])
    current = visitor.last_sign_in.credential_id if visitor.last_sign_in else None
    return answer(schemas.success(schemas.credential(record, current=current, icon_url=_icon_url)))


@blueprint.delete("/user/authn/<credential_id>")
def delete_credential(credential_id: str) -> Response:
    """Delete one of the signed-in user's passkeys."""
    party = _party()
    outcome = party.delete(_visitor(party), [_known(credential_id)])
    for refusal in outcome.refused.values():
        raise refusal
    return answer(schemas.success({"signals": outcome.signals}))


@blueprint.delete("/user/authn")
def delete_credentials() -> Response:
    """Delete several of the signed-in user's passkeys."""
    texts = request.args.getlist("id")
    if not texts:
        raise MalformedRequest("id", "no id in the query")
    ids = {text: schemas.read_credential_id(text) for text in texts}
    party = _party()
    outcome = party.delete(_visitor(party), [item for item in ids.values() if item])
    refused = {
        text: CredentialNotFound("no credential can have this ID") if item is None else outcome.refused[item]
        for text, item in ids.items()
        if item is None or item in outcome.refused
    }
    data = schemas.deleted(outcome)
    return _partly_done(data, refused) if refused else answer(schemas.success(data))


def _known(credential_id: str) -> bytes:
    """Return the bytes of a credential ID in the path; what cannot be one is nobody's."""
    decoded = schemas.read_credential_id(credential_id)
    if decoded is None:
        raise CredentialNotFound("no credential can have this ID")
    return decoded


# Icons of providers


@blueprint.get("/passkey/icons/<aaguid>/<theme>")
def provider_icon(aaguid: str, theme: str) -> Response:
    """Show the icon of a passkey's provider, for an ``<img>``."""
    icon = icon_of(aaguid, theme)
    if icon is None:
        raise CredentialNotFound("no icon is known for this AAGUID and theme")
    response = Response(icon[0], mimetype=icon[1])
    response.headers["Cache-Control"] = "public, max-age=604800"
    # Drawings of others: opened by themselves they may neither run nor load anything.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _icon_url(aaguid: str, theme: str) -> str:
    return url_for("passkey.provider_icon", aaguid=aaguid, theme=theme)


# The well-known documents, bare and at the site root


def related_origins() -> Response:
    """Tell browsers which other origins may use the RP ID (section 5.11)."""
    return answer({"origins": list(_party().config.related_origins)})


def passkey_endpoints() -> Response:
    """Tell password managers where passkeys are created and managed."""
    return answer(dict(_party().config.endpoints))


# What every request goes through


@blueprint.before_request
def check_request() -> None:
    """Refuse what another site's page sent, and say so when the session store is down."""
    if request.endpoint not in ("passkey.static", "passkey.provider_icon"):
        incoming.refuse_cross_site(_party().config)
        sessions.require_available()


def _login(accounts: Accounts, visitor: Visitor, outcome: SignedIn | Registered) -> Any:
    """Rotate the session, let the app sign the user in, and note when; return what the app adds."""
    previous = None if visitor.user is None else accounts.describe(visitor.user).id
    user = outcome.user if isinstance(outcome, SignedIn) else outcome.new_user
    with sessions.undone_on_error():
        sessions.rotate(previous_user_id=previous, user_id=outcome.info.id)
        extra = accounts.login(user)
        if extra:
            current_app.json.dumps(extra)  # what cannot be answered must be known before the session is saved
        sessions.note_sign_in(user_id=outcome.info.id, credential_id=outcome.credential.id)
    return extra


# Answers


def answer(members: dict[str, Any], status: int = 200) -> Response:
    """Return JSON that nobody keeps."""
    response: Response = current_app.json.response(members)  # type: ignore[assignment]
    if status != 200:
        response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _status(status: int) -> int:
    return status if _party().config.http_status else 200


def refuse(refusal: Refusal) -> Response:
    """Answer a refusal."""
    return answer(_failure(refusal), _status(refusal.status))


def _failure(refusal: Refusal) -> dict[str, Any]:
    """Return the envelope of a refusal, and tell log and signal its reason under the same correlation id."""
    correlation_id = str(uuid.uuid4())
    level = logging.ERROR if refusal.status >= 500 else logging.INFO
    cause = refusal.__cause__ if level == logging.ERROR else None
    log.log(level, "Refused with code %s: %s [%s]", refusal.code, refusal.reason, correlation_id, exc_info=cause)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    signals.send(signals.refused, app, error=refusal, correlation_id=correlation_id)
    return schemas.failure(refusal, correlation_id=correlation_id, debug=current_app.debug)


def _partly_done(data: dict[str, Any], refused: dict[str, Refusal]) -> Response:
    correlation_id = str(uuid.uuid4())
    failures = {text: _failure(refusal) for text, refusal in refused.items()}
    log.info("Deleted %s, refused %s [%s]", len(data["deleted"]), len(refused), correlation_id)
    return answer(schemas.partly_done(data, failures, correlation_id=correlation_id), _status(207))


@blueprint.errorhandler(Exception)
def handle_error(error: Exception) -> Response:
    """Answer whatever went wrong with an envelope."""
    if isinstance(error, Refusal):
        return refuse(error)
    if isinstance(error, HTTPException):
        return refuse(_from_http(error))
    misconfigured = Misconfigured(f"{type(error).__name__} in a hook of the app or in Flask-Passkey: {error}")
    misconfigured.__cause__ = error
    return refuse(misconfigured)


# By code as well: Flask asks the app's own handlers of a code before the blueprint's of a class.
for _code in default_exceptions:
    blueprint.register_error_handler(_code, handle_error)


def _from_http(error: HTTPException) -> Refusal:
    """Translate an exception of werkzeug, the app or one of its extensions."""
    reason = f"{error.code} {error.name}"
    known = {401: SignInRequired, 403: CrossSiteRequest, 404: CredentialNotFound, 405: MethodNotAllowed}
    known |= {413: BodyTooLarge, 415: NotJSON, 429: TooManyRequests}
    if error.code in known:
        return known[error.code](reason)
    return MalformedRequest("body", reason) if (error.code or 500) < 500 else Misconfigured(reason)


def _not_allowed(**_: str) -> Response:
    raise MethodNotAllowed(f"{request.method} is not in the contract for this route")


for _rule, _methods in {
    "/session/authn": ("GET", "PATCH", "DELETE"),
    "/user/authn": ("PATCH",),
    "/user/authn/<credential_id>": ("GET", "POST", "PUT"),
}.items():
    blueprint.add_url_rule(_rule, "method_not_allowed", _not_allowed, methods=_methods)


_FOLDERS = ("/user/authn/", "/passkey/static/", "/passkey/icons/")


def is_route(path: str, prefix: str) -> bool:
    """Tell whether a path is one of the blueprint's, before Flask has looked."""
    inside = path.removeprefix(prefix) if path.startswith(prefix) else ""
    return inside in ("/session/authn", "/user/authn") or inside.startswith(_FOLDERS)
