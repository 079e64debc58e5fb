"""What is noted of a request where somebody watches: which ceremony, and whether it came to where it was to go."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from apps import SITE, App
from flask.testing import FlaskClient

from flask_passkey import progress
from flask_passkey.errors import MalformedRequest
from flask_passkey.progress import CREDENTIALS, STORE, VERIFY, Progress
from flask_passkey.testing import VirtualAuthenticator, add_passkey, enrol, sign_in, sign_up, step_up

ID = "47c10dd3-7e10-4950-95d5-483dbc9508e6"


@pytest.fixture(autouse=True)
def without_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the test watch: where another one has imported OpenTelemetry, the apps do."""
    monkeypatch.delitem(sys.modules, "opentelemetry.metrics", raising=False)


def seen(ask: Callable[[], object]) -> Progress:
    """Return what was noted of a request."""
    with progress.watched():
        ask()
        found = progress.current()
    assert found is not None
    return found


def test_nothing_is_noted_unwatched(client: FlaskClient) -> None:
    """Where nobody watches there is nothing to note it in."""
    client.put("/session/authn")
    assert progress.current() is None


@pytest.mark.parametrize(
    ("path", "body", "purpose"),
    [
        ("/session/authn", {}, "sign-in"),
        ("/session/authn", {"step_up": True}, "step-up"),
        ("/user/authn", {}, "registration"),
    ],
)
def test_begins(client: FlaskClient, ada: VirtualAuthenticator, path: str, body: object, purpose: str) -> None:
    """A ceremony that began is known by its purpose, and took the store some time."""
    found = seen(lambda: client.put(path, json=body))
    assert (found.phase, found.purpose, found.is_done) == ("begin", purpose, True)
    assert found.seconds[STORE] > 0


@pytest.mark.parametrize(
    ("path", "body", "purpose"),
    [
        ("/session/authn", {"step_up": True}, "step-up"),
        ("/user/authn", {}, "registration"),
        ("/user/authn", {"name": "taken"}, "sign-up"),
        ("/user/authn", {"grant": "AAAA"}, "enrolment"),
    ],
)
def test_refused_begins(client: FlaskClient, site: App, path: str, body: dict[str, str], purpose: str) -> None:
    """A begin that is refused is known by its purpose, and did not come to its end."""
    site.passkey.name_available(lambda name: False)
    found = seen(lambda: client.put(path, json=body))
    assert (found.phase, found.purpose, found.is_done) == ("begin", purpose, False)


def test_finishes(site: App, client: FlaskClient, ada: VirtualAuthenticator) -> None:
    """A finish is known by the purpose of its ceremony, and all parts took some time."""
    with site.app.app_context():
        token = site.passkey.invite(site.user("ada")).token
    stranger, new = site.app.test_client(), VirtualAuthenticator
    for ask, purpose in (
        (lambda: sign_in(client, ada), "sign-in"),
        (lambda: step_up(client, ada), "step-up"),
        (lambda: add_passkey(client, new(SITE)), "registration"),
        (lambda: enrol(stranger, new(SITE), token), "enrolment"),
        (lambda: sign_up(stranger, new(SITE), "eve"), "sign-up"),
    ):
        found = seen(ask)
        assert (found.phase, found.purpose) == ("finish", purpose)
        assert all(found.seconds[part] > 0 for part in (STORE, CREDENTIALS, VERIFY))


def test_finishes_that_find_nothing(site: App) -> None:
    """A finish of nothing is a finish, for no purpose that is known; so is one that is refused before it looks."""
    with site.app.test_request_context():
        party, visitor = site.passkey.relying_party, site.passkey.visitor()

        def finish(label: str) -> None:
            with pytest.raises(MalformedRequest):
                party.finish_registration(visitor, "unknown", {}, label=label)

        found = seen(lambda: finish("\0"))
    assert (found.phase, found.purpose, found.is_done) == ("finish", "", False)
    found = seen(lambda: site.app.test_client().post("/session/authn", json={"session_id": ID, "response": {}}))
    assert (found.phase, found.purpose, found.is_done) == ("finish", "", False)
