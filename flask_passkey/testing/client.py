"""Whole ceremonies over HTTP, with a Flask test client on one side and an authenticator on the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from .authenticator import VirtualAuthenticator
from .ceremony import AuthenticationBends, RegistrationBends
from .credential import VirtualCredential

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient


class Answer(Protocol):
    """The part of a test client's answer that is used."""

    @property
    def status_code(self) -> int: ...

    @property
    def json(self) -> Any: ...


class Client(Protocol):
    """The part of a Flask test client that is used."""

    def put(self, path: str, /, **kwargs: Any) -> Answer: ...

    def post(self, path: str, /, **kwargs: Any) -> Answer: ...


def client_at(app: Flask, base_url: str) -> FlaskClient:
    """Return a test client whose requests go to a site's address, unless they say where to.

    :param app: the app.
    :param base_url: with scheme and port: ``https://example.com``.
    """
    client = app.test_client()
    send = client.open

    def send_there(*args: Any, **kwargs: Any) -> Any:
        if "path" in kwargs or isinstance(next(iter(args), None), str):
            kwargs.setdefault("base_url", base_url)
        return send(*args, **kwargs)

    vars(client)["open"] = send_there
    return client


class Refused(AssertionError):
    """The app did not answer with success.

    :param step: method and path, for the message.
    :param status: HTTP status.
    :param envelope: the answer's JSON object, ``{}`` if it has none.
    """

    def __init__(self, step: str, *, status: int, envelope: Mapping[str, Any]) -> None:
        super().__init__(f"{step}: HTTP {status}, {envelope}")
        self.status = status
        self.envelope = envelope
        #: Number in the envelope, ``None`` if there is no envelope.
        self.code = envelope.get("code")


def sign_up(
    client: Client,
    authenticator: VirtualAuthenticator,
    name: str,
    *,
    display_name: str | None = None,
    fields: Mapping[str, str] | None = None,
    passkey_name: str | None = None,
    prefix: str = "",
    **bends: Unpack[RegistrationBends],
) -> dict[str, Any]:
    """Create an account with a passkey, which signs it in; return the ``data`` of the last answer.

    :param client: a Flask test client.
    :param name: the account's name.
    :param display_name: the account's name for people to read; empty by default.
    :param fields: what else the form has.
    :param passkey_name: the passkey's label; without it the app makes one.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param bends: for :meth:`VirtualAuthenticator.create`.
    :raises Refused: the app does not answer with success.
    :raises BrowserError: the browser refuses the app's options.
    """
    body = _without_none(name=name, display_name=display_name, fields=fields)
    extra = _without_none(name=passkey_name)
    path = prefix + "/user/authn"
    return _ceremony(client, authenticator, path, body, extra, lambda o: authenticator.create(o, **bends))


def add_passkey(
    client: Client,
    authenticator: VirtualAuthenticator,
    *,
    passkey_name: str | None = None,
    conditional: bool = False,
    prefix: str = "",
    **bends: Unpack[RegistrationBends],
) -> dict[str, Any]:
    """Add a passkey to the account that is signed in; return the ``data`` of the last answer, the credential.

    :param client: a Flask test client.
    :param passkey_name: the passkey's label; without it the app makes one.
    :param conditional: do a conditional create, as a browser does by itself after a password sign-in; pass
        ``user_present=False`` and ``user_verified=False``, too.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param bends: for :meth:`VirtualAuthenticator.create`.
    :raises Refused: the app does not answer with success.
    :raises BrowserError: the browser refuses the app's options.
    """
    extra = _without_none(name=passkey_name)
    body: dict[str, Any] | None = {"conditional": True} if conditional else None
    path = prefix + "/user/authn"
    return _ceremony(client, authenticator, path, body, extra, lambda o: authenticator.create(o, **bends))


def enrol(
    client: Client,
    authenticator: VirtualAuthenticator,
    grant: str,
    *,
    passkey_name: str | None = None,
    prefix: str = "",
    **bends: Unpack[RegistrationBends],
) -> dict[str, Any]:
    """Add a passkey to the account of an enrolment grant; return the ``data`` of the last answer, the credential.

    :param client: a Flask test client; nobody is signed in by this.
    :param grant: the token of an invitation, or a recovery code.
    :param passkey_name: the user's label for the passkey.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param bends: for :meth:`VirtualAuthenticator.create`.
    :raises Refused: if the app does not answer with success.
    :raises BrowserError: if the browser refuses the app's options.
    """
    extra = _without_none(name=passkey_name)
    path = prefix + "/user/authn"
    return _ceremony(client, authenticator, path, {"grant": grant}, extra, lambda o: authenticator.create(o, **bends))


def sign_in(
    client: Client,
    authenticator: VirtualAuthenticator,
    *,
    user_name: str | None = None,
    prefix: str = "",
    credential: VirtualCredential | None = None,
    **bends: Unpack[AuthenticationBends],
) -> dict[str, Any]:
    """Sign in with a passkey; return the ``data`` of the last answer.

    :param client: a Flask test client.
    :param user_name: the account to name at the start; by default none is named.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param credential: for :meth:`VirtualAuthenticator.get`.
    :param bends: for :meth:`VirtualAuthenticator.get`.
    :raises Refused: the app does not answer with success.
    :raises BrowserError: the browser refuses the app's options.
    """
    get = partial(authenticator.get, credential=credential, **bends)
    body = _without_none(user_name=user_name) or None
    return _ceremony(client, authenticator, f"{prefix}/session/authn", body, {}, get)


def step_up(
    client: Client,
    authenticator: VirtualAuthenticator,
    *,
    prefix: str = "",
    credential: VirtualCredential | None = None,
    **bends: Unpack[AuthenticationBends],
) -> dict[str, Any]:
    """Step up with a passkey of the signed-in account; return the ``data`` of the last answer.

    :param client: a Flask test client.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param credential: for :meth:`VirtualAuthenticator.get`.
    :param bends: for :meth:`VirtualAuthenticator.get`.
    :raises Refused: the app does not answer with success.
    :raises BrowserError: the browser refuses the app's options.
    """
    get = partial(authenticator.get, credential=credential, **bends)
    return _ceremony(client, authenticator, f"{prefix}/session/authn", {"step_up": True}, {}, get)


def as_json_text(response: Mapping[str, Any]) -> str:
    """Return a response as clients write it that are older than the browsers' ``toJSON()``.

    It is one JSON text with only the oldest members. In that of a sign-in ``attestationObject`` is empty text, and so
    is a missing ``userHandle``. Such a client posts it as ``{"response": "<this text>"}``.

    :param response: from :meth:`VirtualAuthenticator.create` or :meth:`VirtualAuthenticator.get`.
    """
    inner: Mapping[str, str] = response["response"]
    members = {"attestationObject": inner.get("attestationObject", ""), "clientDataJSON": inner["clientDataJSON"]}
    if "signature" in inner:
        members["signature"] = inner["signature"]
        members["userHandle"] = inner.get("userHandle", "")
        members["authenticatorData"] = inner["authenticatorData"]
    packed = {"id": response["id"], "type": response["type"], "rawId": response["rawId"], "response": members}
    return json.dumps(packed, separators=(",", ":"))


def _ceremony(
    client: Client,
    authenticator: VirtualAuthenticator,
    path: str,
    body: dict[str, Any] | None,
    extra: dict[str, Any],
    respond: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Begin, ask the authenticator, finish."""
    # A browser sends both with every request of a page's script.
    headers = {"Origin": authenticator.origin, "Sec-Fetch-Site": "same-origin"}
    sent = {"headers": headers} if body is None else {"headers": headers, "json": body}
    begun = _data(client.put(path, **sent), f"PUT {path}")
    finish = {"session_id": begun["session_id"], "response": respond(begun["options"]), **extra}
    return _data(client.post(path, headers=headers, json=finish), f"POST {path}")


def _data(answer: Answer, step: str) -> dict[str, Any]:
    """Return the ``data`` of a success. The code decides, not the status: an app may answer 200 to everything."""
    envelope = answer.json if isinstance(answer.json, dict) else {}
    if envelope.get("code") != 0:
        raise Refused(step, status=answer.status_code, envelope=envelope)
    data: dict[str, Any] = envelope["data"]
    return data


def _without_none(**members: str | Mapping[str, str] | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
