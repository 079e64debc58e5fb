"""A Django project with django-allauth, and sign-ins with a passkey and no password."""

from __future__ import annotations

import json
from typing import Any

import django_site
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import include, path, reverse
from django.utils.http import int_to_base36
from passkeys import ACTIVE, RP_ID, Passkeys
from wsgi import Caller, Job, request

from flask_passkey.testing import b64url_encode

django_site.configure(
    __name__,
    apps=("django.contrib.humanize", "allauth", "allauth.account", "allauth.mfa"),
    middleware="allauth.account.middleware.AccountMiddleware",
    backend="allauth.account.auth_backends.AuthenticationBackend",
    MFA_SUPPORTED_TYPES=["totp", "webauthn", "recovery_codes"],
    MFA_PASSKEY_LOGIN_ENABLED=True,
    LOGIN_REDIRECT_URL="/",
)
urlpatterns = [path("accounts/", include("allauth.urls"))]
LOGIN = reverse("mfa_login_webauthn")


class Begin(Caller):
    """Starts sign-ins, each in a new browser."""

    def __init__(self) -> None:
        super().__init__(django_site.application())
        self._request = request("GET", LOGIN)

    def make(self, count: int) -> list[Job]:
        return [self._request() for _ in range(count)]


class Finish(django_site.SignIns):
    """Finishes sign-ins."""

    #: It sends the browser on to the next page.
    status = "302"

    def __init__(self) -> None:
        self._passkeys = Passkeys(0)
        self._wsgi = django_site.application()
        self._owners = _fill(self._passkeys)
        super().__init__(self._wsgi)

    def ceremony(self) -> tuple[Job, str]:
        browser = django_site.Visitor(self._wsgi)
        answer = self._passkeys.answer(browser.ask("GET", LOGIN)["request_options"])
        assert django_site.user_in(browser.cookies) is None
        return browser.post(LOGIN, {"credential": json.dumps(answer)}, form=True), self._owners[answer["id"]]


def _fill(passkeys: Passkeys) -> dict[str, str]:
    """Store accounts with addresses that are verified and passkeys, and return their ids by those of their passkeys."""
    addresses = apps.get_model("account", "EmailAddress").objects
    authenticators = apps.get_model("mfa", "Authenticator").objects
    owners = {}
    with transaction.atomic():
        for number in range(ACTIVE):
            user = get_user_model().objects.create_user(f"user-{number}", f"user-{number}@example.com")
            addresses.create(user=user, email=user.email, primary=True, verified=True)
            answer = passkeys.register(_options(user))
            authenticators.create(user=user, type="webauthn", data={"name": "Phone", "credential": answer})
            owners[answer["id"]] = str(user.pk)
    return owners


def _options(user: Any) -> dict[str, Any]:
    """Return options to register with; allauth's user handle is the key of the user as its URLs have it."""
    return {
        "rp": {"id": RP_ID, "name": "Bench"},
        "user": {"id": b64url_encode(int_to_base36(user.pk).encode()), "name": user.email, "displayName": ""},
        "challenge": b64url_encode(bytes(32)),
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
        "extensions": {"credProps": True},
    }


SUBJECTS = {"begin django-allauth redis": Begin, "finish django-allauth redis": Finish}
