"""What a response says about the person reaches the app: the outcome, the signals and the hook that signs in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from apps import SITE, App, User, begin, make_app
from flask import request, session
from flask.testing import FlaskClient

from flask_passkey import ConfigurationError, Passkey, Registered, SignedIn, signals
from flask_passkey.ceremonies.person import amr
from flask_passkey.testing import VirtualAuthenticator, sign_in, sign_up, step_up

TOLD = ("user_verified", "backed_up", "amr", "authenticator_attachment")


@pytest.fixture
def site() -> App:
    """Return an app that takes a mere touch, with a view that does a whole ceremony."""
    site = make_app({"PASSKEY_USER_VERIFICATION": "preferred"})

    @site.app.post("/own")
    def own() -> dict[str, Any]:
        sent = request.get_json()
        outcome = site.passkey.relying_party.finish_sign_in(site.passkey.visitor(), sent["id"], sent["response"])
        return told_by(outcome)

    return site


def security_key(**settings: Any) -> VirtualAuthenticator:
    """Return a security key."""
    return VirtualAuthenticator(
        SITE, transports=("usb",), default_backup_eligibility=False, default_backup_state=False, **settings
    )


def told_by(outcome: object) -> dict[str, Any]:
    """Return what an outcome says about the person."""
    return {name: getattr(outcome, name) for name in TOLD}


def outcomes_of(site: App) -> list[SignedIn | Registered]:
    """Return the list that the outcomes of all sign-ins are put into."""
    outcomes: list[SignedIn | Registered] = []

    @site.passkey.login_user
    def login_user(user: User, outcome: SignedIn | Registered) -> None:
        session["user_id"] = user.id
        outcomes.append(outcome)

    return outcomes


@pytest.mark.parametrize(
    ("user_present", "user_verified", "backup_eligible", "values"),
    [
        (True, True, True, ("swk", "user", "mfa")),
        (True, True, False, ("hwk", "user", "mfa")),
        (True, False, True, ("swk", "user")),
        (True, False, False, ("hwk", "user")),
        (False, False, True, ("swk",)),
        (False, True, False, ("hwk", "mfa")),
    ],
)
def test_words_of_rfc_8176(
    user_present: bool, user_verified: bool, backup_eligible: bool, values: tuple[str, ...]
) -> None:
    """Each flag has its word, and nothing is claimed that no flag says."""
    assert amr(user_present=user_present, user_verified=user_verified, backup_eligible=backup_eligible) == values


@pytest.mark.parametrize("ceremony", [sign_in, step_up])
def test_a_synced_passkey(site: App, client: FlaskClient, ada: VirtualAuthenticator, ceremony: Any) -> None:
    """A phone's passkey whose user gave a finger is told as that, in a sign-in and in a step-up."""
    outcomes = outcomes_of(site)
    ceremony(client, ada)
    assert told_by(outcomes[-1]) == {
        "user_verified": True,
        "backed_up": True,
        "amr": ("swk", "user", "mfa"),
        "authenticator_attachment": "platform",
    }


def test_a_security_key(site: App) -> None:
    """A security key that was touched is told as that, in the sign-up, too."""
    outcomes = outcomes_of(site)
    key = security_key(has_user_verification=False)
    sign_up(site.app.test_client(), key, "ada")
    sign_in(site.app.test_client(), key)
    registered, signed_in = outcomes
    assert isinstance(registered, Registered) and isinstance(signed_in, SignedIn)
    assert told_by(registered) == told_by(signed_in)
    assert told_by(signed_in) == {
        "user_verified": False,
        "backed_up": False,
        "amr": ("hwk", "user"),
        "authenticator_attachment": "cross-platform",
    }


def test_flags_are_of_this_response(site: App, ada: VirtualAuthenticator) -> None:
    """What is told is what this response says, not what the registration said."""
    outcomes = outcomes_of(site)
    sign_in(site.app.test_client(), ada, user_verified=False, backup_state=False)
    assert told_by(outcomes[-1]) | {"authenticator_attachment": None} == {
        "user_verified": False,
        "backed_up": False,
        "amr": ("swk", "user"),
        "authenticator_attachment": None,
    }


def test_a_pin_set_later_is_no_factor(site: App) -> None:
    """The PIN that a security key got after its registration may be its finder's: verified, but no second factor."""
    outcomes = outcomes_of(site)
    key = security_key(has_user_verification=False)
    sign_up(site.app.test_client(), key, "ada")
    key.has_user_verification = True
    sign_in(site.app.test_client(), key)
    assert (outcomes[-1].user_verified, outcomes[-1].amr) == (True, ("hwk", "user"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("platform", "platform"),
        ("cross-platform", "cross-platform"),
        (None, None),
        ("", None),
        ("Platform", None),
        ("hybrid", None),
        (7, None),
        (True, None),
        (["platform"], None),
        ({"platform": 1}, None),
    ],
    ids=repr,
)
def test_unknown_attachments_are_none(site: App, value: object, expected: str | None) -> None:
    """The client's word is one of two or none, and what is neither does not disturb, in either ceremony."""
    outcomes, ada = outcomes_of(site), VirtualAuthenticator(SITE)

    def say(response: dict[str, Any]) -> None:
        response["authenticatorAttachment"] = value

    sign_up(site.app.test_client(), ada, "ada", after=say)
    sign_in(site.app.test_client(), ada, after=say)
    assert [outcome.authenticator_attachment for outcome in outcomes] == [expected, expected]


def test_a_missing_attachment_is_none(site: App, ada: VirtualAuthenticator) -> None:
    """Clients that do not tell are understood."""
    outcomes = outcomes_of(site)
    sign_in(site.app.test_client(), ada, after=lambda response: response.pop("authenticatorAttachment"))
    assert outcomes[-1].authenticator_attachment is None


@pytest.mark.proves("rules:told")
def test_signals_tell_the_same(site: App) -> None:
    """The receivers of both signals learn what the outcome says."""
    told: list[dict[str, Any]] = []

    def hear(sender: object, **about: Any) -> None:
        told.append({name: about[name] for name in TOLD})

    outcomes, key = outcomes_of(site), security_key()
    with signals.registered.connected_to(hear), signals.signed_in.connected_to(hear):
        sign_up(site.app.test_client(), key, "ada")
        sign_in(site.app.test_client(), key, user_verified=False)
    assert told == [told_by(outcome) for outcome in outcomes]
    assert [about["user_verified"] for about in told] == [True, False]


def test_views_of_the_app_learn_it(site: App, ada: VirtualAuthenticator) -> None:
    """A whole ceremony without HTTP gives the same outcome."""
    client = site.app.test_client()
    begun = begin(client)
    answer = client.post("/own", json={"id": begun["session_id"], "response": ada.get(begun["options"])})
    assert answer.get_json()["amr"] == ["swk", "user", "mfa"]


def remembered(user: object, remember: bool = False) -> tuple[object, bool]:
    """Sign in, as Flask-Login's function does."""
    return user, remember


class Hook:
    """An object that is a hook."""

    def __call__(self, user: object, outcome: object) -> tuple[object, object]:
        """Sign in."""
        return user, outcome


@pytest.mark.parametrize(
    ("hook", "takes_outcome"),
    [
        (lambda user: None, False),
        (lambda user, outcome: None, True),
        (lambda user, outcome, *, log=None: None, True),
        (remembered, False),
        (partial(remembered, remember=True), False),
        (Hook(), True),
        (lambda *values: None, False),
        ({}.get, False),
    ],
)
def test_who_gets_the_outcome(hook: Callable[..., Any], takes_outcome: bool) -> None:
    """A hook whose second argument has no default gets the outcome; one with a default keeps it."""
    passkey = Passkey()
    assert passkey.login_user(hook) is hook
    assert ("login_user" in passkey._hooks.take_more) is takes_outcome


def test_the_last_hook_counts(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A hook that is set after one of the other shape is called in its own."""
    outcomes_of(site)
    users: list[object] = []
    site.passkey.login_user(users.append)
    sign_in(client, ada)
    assert users == [site.user("ada")]


def test_a_coroutine_gets_it_too(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """An asynchronous hook is called like others."""
    pytest.importorskip("asgiref")
    outcomes: list[object] = []

    @site.passkey.login_user
    async def login_user(user: User, outcome: SignedIn | Registered) -> None:
        outcomes.append(outcome)

    sign_in(client, ada)
    assert isinstance(outcomes[-1], SignedIn)


def test_flask_login_is_not_told() -> None:
    """With Flask-Login in place its own function signs people in, and remembers nobody for it."""
    site = make_app(flask_login=True)
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(client, ada, "ada")
    sign_in(client, ada)
    assert client.get("/user/authn").status_code == 200
    assert client.get_cookie("remember_token") is None


@pytest.mark.parametrize(
    ("name", "hook", "line"),
    [
        ("login_user", lambda: None, "def login_user(user): or def login_user(user, outcome):"),
        ("login_user", lambda user, outcome, more: None, "def login_user(user, outcome):"),
        ("login_user", lambda user, *, outcome: None, "def login_user(user, outcome):"),
        ("get_current_user", lambda user: None, "def get_current_user():"),
        ("load_user", lambda: None, "def load_user(user_id):"),
        ("find_user", lambda name, realm: None, "def find_user(name):"),
        ("describe_user", lambda: None, "def describe_user(user):"),
    ],
)
def test_a_hook_of_the_wrong_shape_is_refused(name: str, hook: Callable[..., Any], line: str) -> None:
    """It is refused where it is written, with the line to write instead, and nothing is kept."""
    passkey = Passkey()
    with pytest.raises(ConfigurationError) as refused:
        getattr(passkey, name)(hook)
    assert f"@passkey.{name}" in str(refused.value) and str(refused.value).endswith(line)
    assert getattr(passkey._hooks, name) is None
