"""Requests with headers that no browser sends: they are refused, and never end in an error of the server."""

from __future__ import annotations

from typing import Any

import pytest
from apps import SITE, App, make_app
from flask import abort, request
from werkzeug.exceptions import BadRequest

HOSTS = ["[evil", "[::1", "evil]", "evil:abc", "evil:99999", "", "a b", "\xe9"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("origin", ["https://evil.example", "https://[", "http://evil:abc", "null"])
def test_a_host_that_cannot_be_read(site: App, monkeypatch: pytest.MonkeyPatch, host: str, origin: str) -> None:
    """Werkzeug below 3.1.7 passes on whatever stands in Host: another site's request is refused all the same."""
    monkeypatch.setattr(site.app.request_class, "host", host)
    answer = site.app.test_client().put("/session/authn", headers={"Origin": origin})
    assert answer.get_json()["code"] == 403


@pytest.mark.parametrize("referrer", ["http://[x", "//[", "http://x:abc/", f"{SITE}\xff/"])
@pytest.mark.parametrize("path", ["/passkeys/codes", "/passkeys/links/withdraw", "/passkeys/AAAA/delete"])
def test_a_referrer_that_cannot_be_read(path: str, referrer: str) -> None:
    """A form that nobody may send leads to the sign-in, and back to no page where it is not known which."""
    client = make_app(pages=True).app.test_client()
    answer = client.post(path, environ_overrides={"HTTP_REFERER": referrer})
    assert answer.status_code == 302 and answer.headers["Location"].endswith("/passkeys/sign-in")


class CSRFError(BadRequest):
    """What Flask-WTF raises."""


@pytest.fixture
def choosy() -> App:
    """Return an app of two relying parties that knows no other hosts."""
    site = make_app({"PASSKEY_RP_ID": "example.com", "PASSKEY_RELYING_PARTIES": {"example.org": {}}})

    @site.passkey.rp_id_for
    def rp_id_for() -> str:
        return request.host if request.host in ("example.com", "example.org") else abort(404)

    return site


def test_a_strange_host_of_an_app_that_checks_tokens(choosy: App, caplog: pytest.LogCaptureFixture) -> None:
    """The refusal of the app's own check is answered without asking for the relying party again."""

    @choosy.app.before_request
    def protect() -> None:
        raise CSRFError("The CSRF token is missing.")

    for host in ("example.com", "evil.example"):
        answer = choosy.app.test_client().put("/session/authn", base_url=f"https://{host}")
        assert (answer.status_code, answer.get_json()["code"]) == (400, 40001)
    assert "if request.blueprint != 'passkey': csrf.protect()" in caplog.text


def test_files_are_of_no_relying_party(choosy: App) -> None:
    """The script and icons may come from a host that is no relying party's, as behind a CDN; nothing else may."""
    client = choosy.app.test_client()
    at: dict[str, Any] = {"base_url": "https://cdn.example.net"}
    with client.get("/passkey/static/passkey.js", **at) as answer:
        assert answer.status_code == 200
    assert client.get("/user/authn", **at).status_code == client.put("/session/authn", **at).status_code == 404


@pytest.mark.parametrize("chosen", [None, "", 5, [], {}, b"example.com", True, "EXAMPLE.com"])
def test_what_is_no_relying_party_names_the_hook(chosen: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the hook returns, the log says which hook it was."""
    site = make_app({"PASSKEY_RP_ID": "example.com"})
    site.passkey.rp_id_for(lambda: chosen)
    assert site.app.test_client().put("/session/authn").get_json()["code"] == 50005
    assert f"the rp_id_for hook returned {chosen!r}" in caplog.text
