"""What the Django projects share: settings, accounts in SQLite, sessions in Redis, and a look at who has signed in."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from ipaddress import IPv4Address
from itertools import count as count_up
from typing import Any

import django
import stores
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.middleware.csrf import get_token
from wsgi import Browser, Caller, Job, cookies_in, request

#: As startproject writes it.
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {
        "context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ],
    },
}


def configure(urls: str, *, apps: Sequence[str], middleware: str, backend: str, **more: Any) -> None:
    """Make this process a Django project, in production and with connections that are kept.

    :param urls: name of the module with ``urlpatterns``.
    :param backend: authenticates beside passwords.
    """
    django_apps = ("auth", "contenttypes", "sessions", "messages", "staticfiles")
    settings.configure(
        DEBUG=False,
        SECRET_KEY="bench" * 10,
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=urls,
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in django_apps), *apps],
        MIDDLEWARE=[*MIDDLEWARE, middleware],
        TEMPLATES=[TEMPLATES],
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", backend],
        STATIC_URL="static/",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": _sqlite()},
        CACHES={"default": _redis()},
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
        **more,
    )
    django.setup()


def _sqlite() -> dict[str, Any]:
    pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"  # those of stores.set_pragmas
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{stores.folder()}/django.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"init_command": pragmas},
    }


def _redis() -> dict[str, Any]:
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["BENCH_REDIS_URL"]}


def application() -> Callable[..., Iterable[bytes]]:
    """Make the tables and return the WSGI application."""
    call_command("migrate", verbosity=0)
    made: Callable[..., Iterable[bytes]] = get_wsgi_application()
    return made


def user_in(cookies: Mapping[str, str]) -> str | None:
    """Return the id of the user who is signed in in a browser with these cookies."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(cookies.get("sessionid"))
    user_id = store.get(SESSION_KEY)
    return None if user_id is None else str(user_id)


class Visitor(Browser):
    """A browser that has a token against forged requests, from the page with the sign-in.

    Each has another address, as allauth lets ten sign-ins a minute come from one.
    """

    _addresses = count_up(int(IPv4Address("10.0.0.1")))

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(app)
        self._address = str(IPv4Address(next(self._addresses)))
        page = HttpRequest()
        self.token: str = get_token(page)
        self.cookies["csrftoken"] = page.META["CSRF_COOKIE"]

    def post(self, path: str, body: Any = None, *, form: bool = False) -> dict[str, Any]:
        """Return a request that is ready to be sent, with the token as pages and scripts send it."""
        more = {"REMOTE_ADDR": self._address}
        if form:
            return request("POST", path, body | {"csrfmiddlewaretoken": self.token}, self.cookies, form=True)() | more
        return request("POST", path, body, self.cookies)() | more | {"HTTP_X_CSRFTOKEN": self.token}


class SignIns(Caller, ABC):
    """Finishes sign-ins. Each was started and answered before the clock starts, and is checked after it has stopped."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        super().__init__(app)
        self._users: list[str] = []
        self._headers: list[list[tuple[str, str]]] = []

    @abstractmethod
    def ceremony(self) -> tuple[Job, str]:
        """Return a finish that is ready to be sent, and the id of the user whom it signs in."""

    def make(self, count: int) -> list[Job]:
        ceremonies = [self.ceremony() for _ in range(count)]
        self._users = [user_id for _, user_id in ceremonies]
        self._headers.clear()
        return [job for job, _ in ceremonies]

    def check(self) -> None:
        super().check()
        signed_in = [user_in(cookies_in(headers)) for headers in self._headers]
        assert signed_in == self._users, (signed_in[:3], self._users[:3])

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        super()._start(status, headers, exc_info)
        self._headers.append(headers)
