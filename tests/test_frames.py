"""Pages inside pages of other sites, and what a browser's request says about where it comes from."""

from __future__ import annotations

import pytest
from apps import SITE, App, make_app

HTTPS = {"PASSKEY_RP_ID": "rp.test", "PASSKEY_ORIGINS": ["https://rp.test"]}
SECRET = "x" * 43


# Origins that are null


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "Same-Origin"}, 403),
        ({"Origin": "NULL", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": f"{SITE}, null", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_null_is_taken_from_the_same_origin_only(site: App, headers: dict[str, str], status: int) -> None:
    """A page without referrers may use our routes and the app's forms; null from elsewhere may not."""

    @site.app.post("/form")
    def form() -> str:
        site.passkey.refuse_cross_site()
        return "done"

    client = site.app.test_client()
    assert client.put("/session/authn", headers=headers).status_code == status
    assert client.post("/form", headers=headers).status_code == status


# Names of cookies


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("__Host-passkey_0123abcd", SECRET, True),
        ("__Host-passkey_0123abcd0", SECRET, False),
        ("__Host-passkey_0123ABCD", SECRET, False),
        ("__Host-passkey_", SECRET, False),
        ("__Host-passkey_consent", SECRET, False),
        ("__host-passkey_0123abcd", SECRET, False),
        ("passkey_0123abcd", SECRET, False),
        ("x__Host-passkey_0123abcd", SECRET, False),
        ("\u00a0__Host-passkey_0123abcd", SECRET, False),
        ("x=__Host-passkey_0123abcd", SECRET, False),
        ("__Host-passkey_0123abcd", SECRET[1:], False),
        ("__Host-passkey_0123abcd", f"{SECRET}x", False),
    ],
)
def test_only_our_own_cookies_are_read(name: str, value: str, known: bool) -> None:
    """A cookie of any other name, of the app's or planted with white space in front by a subdomain, binds nothing."""
    sent = f"a=b; {name}={value}; c=d".encode().decode("latin-1")  # as WSGI has it
    client = make_app(HTTPS).app.test_client(use_cookies=False)
    answer = client.put("/session/authn", headers={"Cookie": sent})
    assert answer.status_code == 200
    assert ("Set-Cookie" not in answer.headers) is known, "a browser without a secret gets one"
