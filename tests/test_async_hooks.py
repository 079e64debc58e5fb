"""Hooks whose ``async`` cannot be seen when they are set: what they return is never taken for an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from apps import SITE, App, User, begin, make_app

from flask_passkey.testing import Refused, VirtualAuthenticator, sign_in, sign_up


def hidden(answer: object) -> Any:
    """Return a coroutine function that does not look like one."""

    async def wait(*_: object) -> object:
        return answer

    def decorated(value: Any) -> Awaitable[object]:
        return wait(value)

    return decorated


class Check:
    """A hook with state, as apps write them."""

    async def __call__(self, user: User) -> bool:
        return False


@pytest.mark.parametrize("check", [hidden(False), Check()])
def test_a_coroutine_lets_nobody_in(site: App, check: Callable[[User], Any], caplog: pytest.LogCaptureFixture) -> None:
    """An account check that was never awaited refuses everybody, and the log names the hook."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    site.passkey.check_account(check)
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), ada)
    assert refused.value.code == 50005 and "the check_account hook returned a coroutine" in caplog.text


def test_a_coroutine_for_is_active_lets_nobody_in(site: App) -> None:
    """Nor does one where the app has no such hook, and the user's class says it."""
    ada = VirtualAuthenticator(SITE)
    sign_up(site.app.test_client(), ada, "ada")
    vars(site.user("ada"))["is_active"] = hidden(False).__get__(site.user("ada"))
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), ada)
    assert refused.value.code == 50005


def test_a_coroutine_is_no_other_way_in(site: App) -> None:
    """The last passkey stays where nobody knows whether there is another way to sign in."""
    site.passkey.other_sign_in_methods(hidden(False))
    client = site.app.test_client()
    made = sign_up(client, VirtualAuthenticator(SITE), "ada")
    assert client.delete(f"/user/authn/{made['id']}").get_json()["code"] == 50005
    assert len(site.passkey_records("ada")) == 1


def test_a_coroutine_is_no_free_name(site: App) -> None:
    """A sign-up does not begin where nobody knows whether the name is free."""
    site.passkey.name_available(hidden(False))
    with pytest.raises(Refused) as refused:
        sign_up(site.app.test_client(), VirtualAuthenticator(SITE), "ada")
    assert refused.value.code == 50005 and not site.pending


def test_a_coroutine_is_no_spelling() -> None:
    """Names without an account would have another list of decoys each time, and so could be told."""
    site = make_app({"PASSKEY_USERNAME_FIRST": True}, find_user=True)
    site.passkey.canonical_name(hidden("bob"))
    answer = site.app.test_client().put("/session/authn", json={"user_name": "bob"})
    assert answer.get_json()["code"] == 50005


def test_a_check_that_fails_leaves_no_account(site: App) -> None:
    """A sign-up that ends in a failing hook stores no passkey."""
    client, ada = site.app.test_client(), VirtualAuthenticator(SITE)
    begun = begin(client, "/user/authn", name="ada")
    site.passkey.check_account(hidden(True))
    body = {"session_id": begun["session_id"], "response": ada.create(begun["options"])}
    assert client.post("/user/authn", json=body).get_json()["code"] == 50005
    assert site.passkey_records("ada") == []
