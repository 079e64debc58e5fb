"""Whole ceremonies over HTTP, with a Flask test client on one side and an authenticator on the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Unpack

from .authenticator import VirtualAuthenticator
from .ceremony import AuthenticationBends, RegistrationBends
from .credential import VirtualCredential


class Answer(Protocol):
    """What is read of a test client's answer."""

    @property
    def status_code(self) -> int: ...

    @property
    def json(self) -> Any: ...


class Client(Protocol):
    """What is used of a Flask test client."""

    def put(self, path: str, /, **kwargs: Any) -> Answer: ...

    def post(self, path: str, /, **kwargs: Any) -> Answer: ...


class Refused(AssertionError):
    """The app did not answer with success.

    :param status: HTTP status.
    :param envelope: the answer's JSON, ``{}`` if it is none.
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
    passkey_name: str | None = None,
    prefix: str = "",
    **bends: Unpack[RegistrationBends],
) -> dict[str, Any]:
    """Make an account with a passkey, and be signed in; return the ``data`` of the last answer.

    :param client: a Flask test client.
    :param name: the account's.
    :param passkey_name: the user's label for the passkey.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param bends: for :meth:`VirtualAuthenticator.create`.
    :raises Refused: if the app does not answer with success.
    :raises BrowserError: if the browser refuses the app's options.
    """
    body = _without_none(name=name, display_name=display_name)
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
    :param passkey_name: the user's label for the passkey.
    :param conditional: as a browser does it by itself after a password sign-in; ``user_present=False`` and
        ``user_verified=False`` go with it.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param bends: for :meth:`VirtualAuthenticator.create`.
    :raises Refused: if the app does not answer with success.
    :raises BrowserError: if the browser refuses the app's options.
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
    :param user_name: name the account when beginning; by default nobody is named.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param credential: for :meth:`VirtualAuthenticator.get`.
    :param bends: for :meth:`VirtualAuthenticator.get`.
    :raises Refused: if the app does not answer with success.
    :raises BrowserError: if the browser refuses the app's options.
    """
    path = prefix + "/session/authn"

    def get(options: dict[str, Any]) -> dict[str, Any]:
        return authenticator.get(options, credential=credential, **bends)

    body = _without_none(user_name=user_name) or None
    return _ceremony(client, authenticator, path, body, {}, get)


def step_up(
    client: Client,
    authenticator: VirtualAuthenticator,
    *,
    prefix: str = "",
    credential: VirtualCredential | None = None,
    **bends: Unpack[AuthenticationBends],
) -> dict[str, Any]:
    """Show a passkey of the account that is signed in once more; return the ``data`` of the last answer.

    :param client: a Flask test client.
    :param prefix: the app's ``PASSKEY_URL_PREFIX``.
    :param credential: for :meth:`VirtualAuthenticator.get`.
    :param bends: for :meth:`VirtualAuthenticator.get`.
    :raises Refused: if the app does not answer with success.
    :raises BrowserError: if the browser refuses the app's options.
    """
    path = prefix + "/session/authn"

    def get(options: dict[str, Any]) -> dict[str, Any]:
        return authenticator.get(options, credential=credential, **bends)

    return _ceremony(client, authenticator, path, {"step_up": True}, {}, get)


def as_json_text(response: Mapping[str, Any]) -> str:
    """Return a response as clients write it that were made before browsers had ``toJSON()``.

    One JSON text with only the oldest members. Of an assertion, ``attestationObject`` is there and empty, and a
    missing ``userHandle`` is an empty text. Such a client posts it as ``{"response": "<this text>"}``.

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
    """Return ``data`` of a success. The code decides, not the status: an app may answer 200 to everything."""
    envelope = answer.json if isinstance(answer.json, dict) else {}
    if envelope.get("code") != 0:
        raise Refused(step, status=answer.status_code, envelope=envelope)
    data: dict[str, Any] = envelope["data"]
    return data


def _without_none(**members: str | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
