"""A Django project with django-otp-webauthn, and sign-ins with a passkey and no password."""

from __future__ import annotations

import json
from typing import Any

import django_site
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import include, path, reverse
from passkeys import RP_ID, Passkeys
from wsgi import SITE, Caller, Job

from flask_passkey import CredentialRecord
from flask_passkey.testing import b64url_encode

django_site.configure(
    __name__,
    apps=("django_otp_webauthn", "django_otp"),
    middleware="django_otp.middleware.OTPMiddleware",
    backend="django_otp_webauthn.backends.WebAuthnBackend",
    OTP_WEBAUTHN_RP_NAME="Bench",
    OTP_WEBAUTHN_RP_ID=RP_ID,
    OTP_WEBAUTHN_ALLOWED_ORIGINS=[SITE],
    LOGIN_REDIRECT_URL="/",
)
urlpatterns = [path("webauthn/", include("django_otp_webauthn.urls", namespace="otp_webauthn"))]
BEGIN = reverse("otp_webauthn:credential-authentication-begin")
COMPLETE = reverse("otp_webauthn:credential-authentication-complete")


class Begin(Caller):
    """Starts sign-ins, each in a new browser."""

    def __init__(self) -> None:
        self._wsgi = django_site.application()
        super().__init__(self._wsgi)

    def make(self, count: int) -> list[Job]:
        return [django_site.Visitor(self._wsgi).post(BEGIN) for _ in range(count)]


class Finish(django_site.SignIns):
    """Finishes sign-ins."""

    def __init__(self) -> None:
        self._passkeys = Passkeys()
        self._wsgi = django_site.application()
        self._owners = _fill(self._passkeys)
        super().__init__(self._wsgi)

    def ceremony(self) -> tuple[Job, str]:
        browser = django_site.Visitor(self._wsgi)
        answer = self._passkeys.answer(json.loads(browser.send(browser.post(BEGIN))))
        assert django_site.user_in(browser.cookies) is None
        return browser.post(COMPLETE, answer), self._owners[answer["id"]]


def _fill(passkeys: Passkeys) -> dict[str, str]:
    """Store accounts and passkeys, and return the accounts' ids by those of their passkeys."""
    handles = apps.get_model("django_otp_webauthn", "WebAuthnUserHandle").objects
    credentials = apps.get_model("django_otp_webauthn", "WebAuthnCredential").objects
    owners = {}
    with transaction.atomic():
        for record in passkeys.records():
            user = get_user_model().objects.create_user(record.user_id)
            handles.create(user=user, handle_hex=record.user_handle.hex())
            credentials.create(user=user, **_values(record))
            owners[b64url_encode(record.id)] = str(user.pk)
    return owners


def _values(record: CredentialRecord) -> dict[str, Any]:
    return {
        "name": record.label,
        "credential_id": record.id,
        "public_key": record.public_key,
        "transports": list(record.transports),
        "backup_eligible": record.backup_eligible,
        "backup_state": record.backup_state,
        "discoverable": True,
        "aaguid": record.aaguid,
    }


SUBJECTS = {"begin django-otp-webauthn redis": Begin, "finish django-otp-webauthn redis": Finish}
