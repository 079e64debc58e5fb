"""The subjects by name, each made in its own process."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import hand
import ours
import passkeys
from flask import Flask
from passkeys import Passkeys
from wsgi import Browser, Caller, Job, Subject, request

from flask_passkey.credentials.sql import passkey_credential, passkey_user

PATH = "/session/authn"


class Begin(Caller):
    """Starts sign-ins, each in a new browser.

    :param pending: number of ceremonies that are pending already.
    """

    def __init__(self, app: Flask, *, pending: int = 0) -> None:
        super().__init__(app.wsgi_app)
        self._request = request("PUT", PATH)
        for _ in range(pending):
            self.run([self._request()])
        if pending:
            os.sync()  # so that what is measured does not wait for the disk

    def make(self, count: int) -> list[Job]:
        return [self._request() for _ in range(count)]


class Finish(Caller):
    """Finishes sign-ins; each was started and answered before the clock starts.

    :param others: number of passkeys that are stored and not used.
    :param active: number of passkeys that are used.
    """

    def __init__(self, make_app: Callable[..., Flask], *, others: int = 0, active: int = passkeys.ACTIVE) -> None:
        self._passkeys = Passkeys(active)
        app = make_app(passkeys=self._passkeys)
        if others:
            fill(app, others)
        self._wsgi = app.wsgi_app
        super().__init__(self._wsgi)

    def make(self, count: int) -> list[Job]:
        return [self._ceremony() for _ in range(count)]

    def _ceremony(self) -> Job:
        browser = Browser(self._wsgi)
        begun = browser.ask("PUT", PATH)["data"]
        body = {"session_id": begun["session_id"], "response": self._passkeys.answer(begun["options"])}
        return request("POST", PATH, body, browser.cookies)()


def fill(app: Flask, count: int) -> None:
    """Store passkeys that nobody uses, in batches: the repository, one by one, would take hours."""
    with app.app_context(), app.extensions["passkey"].credentials.transaction() as connection:
        batch: list[dict[str, Any]] = []
        for values in passkeys.filler_rows(count):
            batch.append(values)
            if len(batch) == 10_000:
                _insert(connection, batch)
        _insert(connection, batch)


def _insert(connection: Any, batch: list[dict[str, Any]]) -> None:
    if batch:
        users = [{"user_id": row.pop("user_id"), "user_handle": row["user_handle"]} for row in batch]
        connection.execute(passkey_user.insert(), users)
        connection.execute(passkey_credential.insert(), batch)
        batch.clear()


STORES = ("memory", "redis", "sql", "file")
FEW, MANY = 10, 100_000
SMALL, LARGE = 1_000, 1_000_000


def _ours(store: str, credentials: str, *, login: bool = False, **how: int) -> Callable[[], Subject]:
    return lambda: Finish(partial(ours.app, store, credentials=credentials, login=login), **how)


def _hand(store: str, *, login: bool = False) -> Callable[[], Subject]:
    return lambda: Finish(partial(hand.careful, store, login=login))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "bare": lambda: Begin(hand.bare()),
    "prims": hand.Prims,
    **{f"begin hand {store}": partial(lambda s: Begin(hand.careful(s)), store) for store in STORES},
    **{f"begin ours {store}": partial(lambda s: Begin(ours.app(s)), store) for store in STORES},
    **{
        f"begin ours {store}, {number} pending": partial(lambda s, n: Begin(ours.app(s), pending=n), store, number)
        for store in STORES
        for number in (FEW, MANY)
    },
    "finish hand memory": _hand("memory"),
    "finish hand memory login": _hand("memory", login=True),
    "finish hand redis login": _hand("redis", login=True),
    "finish ours memory memory": _ours("memory", "memory"),
    "finish ours memory sqlite": _ours("memory", "sqlite"),
    "finish ours memory sqlite login": _ours("memory", "sqlite", login=True),
    "finish ours redis sqlite login": _ours("redis", "sqlite", login=True),
    "finish ours redis postgresql login": _ours("redis", "postgresql", login=True),
    **{
        f"finish ours memory sqlite, {number} passkeys": _ours("memory", "sqlite", others=number - SMALL, active=SMALL)
        for number in (SMALL, LARGE)
    },
}
