"""The routes: parse, call the relying party, answer. The rules are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from flask import Blueprint, Response, current_app, has_request_context, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import NotFound, default_exceptions

from ..errors import CredentialNotFound, MalformedRequest, MethodNotAllowed
from ..providers import icon_of
from ..proxies import current_request
from ..state import common, current
from ..visitor import Visitor
from . import browsers, files, http, others, outage, schemas, sessions
from .rows import icon_url

#: The most passkeys that can be deleted by one request.
MAX_BATCH = 100

#: The variables in our rules; others are in the host of the app, as in ``<tenant>.example.com``.
VARIABLES = frozenset(("credential_id", "aaguid", "theme", "filename", "passkey_id", "allowed"))
_HOST_VALUES = "passkey.host_values"


#: What each route of the contract can do; by ``OPTIONS`` and at any other method it says so.
METHODS = {
    "/session/authn": ("POST", "PUT"),
    "/session/authn/password": ("POST",),
    "/user/authn": ("DELETE", "GET", "HEAD", "POST", "PUT"),
    "/user/authn/<credential_id>": ("DELETE", "PATCH"),
}


class _SetupState(BlueprintSetupState):
    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Callable[..., Any] | None = None, **options: Any
    ) -> None:
        if rule in METHODS and view_func is not None:
            view_func = _checked(view_func)
            # Flask's own answer to OPTIONS would list what _other_method() refuses.
            options["provide_automatic_options"] = False
        super().add_url_rule(rule, endpoint, view_func, host=self.options.get("host"), **options)


@cache  # one function for one endpoint
def _checked(view: Callable[..., Response]) -> Callable[..., Response]:
    """Refuse what another site's page sent, and say so when the session store is down, before a view begins."""

    @wraps(view)
    def checked(**values: Any) -> Response:
        environ = current_request().environ
        http.refuse_cross_site(current().config, environ)
        outage.require_available(environ)
        return view(**values)

    return checked


class HostBlueprint(Blueprint):
    """A blueprint that can be registered for one host; Flask's can for a subdomain."""

    def make_setup_state(self, app: Any, options: dict[str, Any], first_registration: bool = False) -> _SetupState:
        return _SetupState(self, app, options, first_registration)

    def send_static_file(self, filename: str) -> Response:
        """Answer with one of our files."""
        return files.send(filename, self.get_send_file_max_age(filename))


blueprint = HostBlueprint(
    "passkey", __name__, static_folder="../static", static_url_path="/passkey/static", template_folder="../templates"
)


# Sign-in and step-up


@blueprint.put("/session/authn")
def begin_sign_in() -> Response:
    """Begin a passkey sign-in or, with ``step_up``, a repeated one by the same user."""
    state = current()
    body = schemas.BeginSignInRequest.read(http.body(state.config, optional=True))
    if body.get("step_up"):
        begun = state.relying_party.begin_step_up(sessions.visitor(state, begins=True))
    else:  # without asking the app who is signed in
        begun = state.relying_party.begin_sign_in(
            Visitor(browsers.known(state.config)), user_name=body.get("user_name")
        )
    return http.succeed(schemas.begun(begun))


@blueprint.post("/session/authn")
def finish_sign_in() -> Response:
    """Sign in with the browser's response."""
    state = current()
    body = schemas.FinishSignInRequest.read(http.body(state.config))
    outcome = state.relying_party.finish_sign_in(sessions.visitor(state), body["session_id"], body["response"])
    added = sessions.sign_in(outcome, state)
    return http.succeed(schemas.signed_in(outcome, added, icon_url=icon_url))


@blueprint.post("/session/authn/password")
def confirm_by_password() -> Response:
    """Take the app's password in place of a passkey: a fresh sign-in for who lost theirs."""
    sessions.confirm_by_password(lambda: str(schemas.ConfirmRequest.read(http.body(current().config))["password"]))
    return http.succeed({})


# Registration and sign-up


@blueprint.put("/user/authn")
def begin_registration() -> Response:
    """Begin a passkey for the signed-in user, with a grant for its account or, with a name, for a new one."""
    state = current()
    body = http.body(state.config, optional=True)
    visitor = sessions.visitor(state, begins=True)
    if isinstance(body, dict) and "grant" in body:
        begun = state.relying_party.begin_enrolment(visitor, **schemas.BeginEnrolmentRequest.read(body))
    elif schemas.is_sign_up(body, signed_in=visitor.info is not None):
        begun = state.relying_party.begin_sign_up(visitor, **schemas.BeginSignUpRequest.read(body))
    else:
        wanted = schemas.BeginRegistrationRequest.read(body)
        begun = state.relying_party.begin_registration(visitor, **wanted)
        if wanted["conditional"]:
            sessions.forget_offer()
    return http.succeed(schemas.begun(begun))


@blueprint.post("/user/authn")
def finish_registration() -> Response:
    """Add the passkey the browser made; after a sign-up its account is signed in, after an enrolment nobody."""
    state = current()
    body = schemas.FinishRegistrationRequest.read(http.body(state.config))
    visitor = sessions.visitor(state)
    outcome = state.relying_party.finish_registration(
        visitor, body["session_id"], body["response"], label=body["name"], user_agent=request.user_agent.string
    )
    sessions.sign_in(outcome, state)
    signed_in = outcome.new_user is not None and outcome.may_sign_in
    current_id = outcome.credential.id if signed_in else visitor.current
    return http.succeed(schemas.credential(outcome.credential, current=current_id, icon_url=icon_url))


# The user's own credentials


@blueprint.get("/user/authn")
def list_credentials() -> Response:
    """List the signed-in user's passkeys."""
    state = current()
    outcome = state.relying_party.list_credentials(sessions.visitor(state))
    return http.succeed(schemas.credential_list(outcome, icon_url=icon_url))


@blueprint.patch("/user/authn/<credential_id>")
def rename_credential(credential_id: str) -> Response:
    """Give one of the signed-in user's passkeys another name."""
    state = current()
    visitor = sessions.visitor(state)
    state.relying_party.require_sign_in(visitor)  # before the body is read
    body = schemas.RenameRequest.read(http.body(state.config))
    record = state.relying_party.rename(visitor, schemas.known_id(credential_id), body["name"])
    return http.succeed(schemas.credential(record, current=visitor.current, icon_url=icon_url))


@blueprint.delete("/user/authn/<credential_id>")
def delete_credential(credential_id: str) -> Response:
    """Delete one of the signed-in user's passkeys."""
    outcome = sessions.delete_one(schemas.known_id(credential_id))
    return http.succeed({"signals": schemas.account_state(outcome.account)})


@blueprint.delete("/user/authn")
def delete_credentials() -> Response:
    """Delete several of the signed-in user's passkeys."""
    texts = request.args.getlist("id")
    if not texts:
        raise MalformedRequest("id", "no id in the query")
    if len(texts) > MAX_BATCH:
        raise MalformedRequest("id", f"more than {MAX_BATCH} ids in the query")
    ids = {text: schemas.read_credential_id(text) for text in texts}
    outcome = sessions.delete([item for item in ids.values() if item])
    refused = {
        text: CredentialNotFound("no credential can have this ID") if item is None else outcome.refused[item]
        for text, item in ids.items()
        if item is None or item in outcome.refused
    }
    data = schemas.deleted(outcome)
    return http.partly_done(data, refused) if refused else http.succeed(data)


# Icons of providers

#: Third-party SVG: forbid scripts and subresources when it is opened directly.
_ICON_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@blueprint.get("/passkey/icons/<aaguid>/<theme>")
def provider_icon(aaguid: str, theme: str) -> Response:
    """Show the icon of a passkey's provider, for an ``<img>``."""
    icon = icon_of(aaguid, theme)
    if icon is None:
        raise CredentialNotFound("no icon is known for this AAGUID and theme")
    response = Response(icon[0], mimetype=icon[1])
    response.headers["Cache-Control"] = "public, max-age=604800"
    response.headers["Content-Security-Policy"] = _ICON_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


# Flask-Talisman would put the policy of the app's own pages in its place.
vars(provider_icon)["talisman_view_options"] = {"content_security_policy": _ICON_POLICY}


# The well-known documents, bare and at the site root


def related_origins() -> Response:
    """Tell browsers which other origins may use the RP ID (section 5.11)."""
    origins = current().config.related_origins
    if not origins:
        raise NotFound
    return http.answer({"origins": list(origins)})


def passkey_endpoints() -> Response:
    """Tell password managers where passkeys are created and managed."""
    return http.answer(dict(common().config.endpoints))


def android_apps() -> Response:
    """Tell Android which apps may use the site's passkeys: https://developers.google.com/digital-asset-links."""
    apps = common().config.android_apps.items()
    return http.answer([_statement(package, list(fingerprints)) for package, fingerprints in apps])


def _statement(package: str, fingerprints: list[str]) -> dict[str, Any]:
    # Android wants both for passkeys.
    relations = ("handle_all_urls", "get_login_creds")
    return {
        "relation": [f"delegate_permission/common.{relation}" for relation in relations],
        "target": {
            "namespace": "android_app",
            "package_name": package,
            "sha256_cert_fingerprints": fingerprints,
        },
    }


def apple_apps() -> Response:
    """Tell Apple's systems the same: https://developer.apple.com/documentation/xcode/supporting-associated-domains."""
    return http.answer({"webcredentials": {"apps": list(common().config.apple_apps)}})


# What every request goes through


def take_host_values(_: str | None, values: dict[str, Any] | None) -> None:
    """Keep the variable parts of a host from the views."""
    kept = {name: values.pop(name) for name in values.keys() - VARIABLES} if values else {}
    if kept:
        request.environ[_HOST_VALUES] = kept


@blueprint.url_defaults
def add_host_values(endpoint: str, values: dict[str, Any]) -> None:
    """Put the variable parts of the current host into addresses of our routes."""
    if has_request_context():
        for name, value in ((request.view_args or {}) | request.environ.get(_HOST_VALUES, {})).items():
            if name not in VARIABLES and current_app.url_map.is_endpoint_expecting(endpoint, name):
                values.setdefault(name, value)


blueprint.register_error_handler(Exception, others.handle_error)
# By code as well: Flask asks the app's own handlers of a code before the blueprint's of a class.
for _code in default_exceptions:
    blueprint.register_error_handler(_code, others.handle_error)


def _other_method(allowed: frozenset[str], **_: Any) -> Response:
    """Tell what a route can do (RFC 9110, section 10.2.1)."""
    if request.method == "OPTIONS":
        return Response(headers={"Allow": ", ".join(sorted(allowed))})
    raise MethodNotAllowed(f"{request.method} is not in the contract for this route", allowed=allowed)


for _rule, _methods in METHODS.items():
    blueprint.add_url_rule(
        _rule,
        "method_not_allowed",
        _other_method,
        methods={"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"}.difference(_methods),
        defaults={"allowed": frozenset((*_methods, "OPTIONS"))},
    )
