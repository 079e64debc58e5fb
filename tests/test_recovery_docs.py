"""The document about lost passkeys: its code, run."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from apps import SITE, App, User, make_app
from flask_login import login_user

from flask_passkey import signals
from flask_passkey.cli import passkey as commands
from flask_passkey.testing import VirtualAuthenticator, enrol, sign_in, sign_up

DOCUMENT = (Path(__file__).parent.parent / "docs" / "howto" / "recovery.md").read_text("utf-8")
SENT: list[EmailMessage] = []


class Server:
    """Stands in for ``smtplib.SMTP``."""

    def __init__(self, host: str) -> None:
        assert host == "localhost"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send_message(self, message: EmailMessage) -> None:
        """Keep what would be sent."""
        SENT.append(message)


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The app of the document, with all its code in it, and what that defines."""
    monkeypatch.setattr("smtplib.SMTP", Server)
    SENT.clear()
    site = make_app({"PASSKEY_ENROL_URL": "http://localhost/enrol"}, flask_login=True)
    names: dict[str, Any] = {"app": site.app, "passkey": site.passkey, "load_user": site.users.get}
    code = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(code) == 3
    for block in code:
        exec(compile(block, "recovery.md", "exec"), names)
    yield site, names
    for signal in (signals.invited, signals.registered, signals.withdrawn, signals.deleted):
        for receiver in (value for name, value in names.items() if name.startswith("on_")):
            signal.disconnect(receiver)


def test_the_documents_code_lets_people_back_in(documented: tuple[App, dict[str, Any]]) -> None:
    """An administrator's page mails a link that works, and the owner is told of each step without what opens it."""
    site, _ = documented
    admin, phone = site.app.test_client(), VirtualAuthenticator(SITE)
    sign_up(admin, VirtualAuthenticator(SITE), "admin")
    site.users["7"] = User("ada", id="7")
    for user in site.users.values():
        vars(user)["email"] = f"{user.name}@example.com"
    SENT.clear()
    assert admin.post("/admin/users/7/invite").status_code == 204
    told, mailed = SENT
    [link] = re.findall(r"http://\S+", mailed.get_content())
    enrol(site.app.test_client(), phone, link.partition("#")[2])
    assert [str(message["Subject"]) for message in SENT] == [
        "A way into your account",
        "Your link for a new passkey",
        "A new passkey",
    ]
    assert all(message["To"] == "ada@example.com" for message in SENT)
    assert "with a link or a recovery code" in SENT[2].get_content() and link not in told.get_content()
    assert sign_in(site.app.test_client(), phone)["user"]["name"] == "ada"


def test_the_documents_page_shows_codes(documented: tuple[App, dict[str, Any]]) -> None:
    """The codes' page needs a fresh sign-in, shows eight codes, and its owner is told."""
    site, _ = documented
    client = site.app.test_client()
    site.users["7"] = ada = User("ada", id="7")
    vars(ada)["email"] = "ada@example.com"
    site.app.add_url_rule("/as-ada", "as_ada", lambda: str(login_user(ada)))
    client.get("/as-ada")
    assert client.post("/recovery-codes").status_code == 403
    with site.app.app_context():
        token = site.passkey.invite(ada).token
    phone = VirtualAuthenticator(SITE)
    enrol(client, phone, token)
    sign_in(client, phone)
    codes = re.findall(r"<p>(.{19})</p>", client.post("/recovery-codes").text)
    assert len(codes) == 8 and "8 recovery codes were made" in SENT[-1].get_content()
    enrol(site.app.test_client(), VirtualAuthenticator(SITE), codes[0].lower())
    with site.app.app_context():
        site.passkey.withdraw(ada)
        site.passkey.delete_passkey_of("7", sign_in(client, phone)["credential"]["id"])
    assert [str(message["Subject"]) for message in SENT[-2:]] == ["Links taken back", "A passkey was deleted"]


def test_the_documents_commands_are_there() -> None:
    """Every command of the document is one of ours, with the options that it has."""
    lines = re.findall(r"^flask passkey (\w+) 17(?: (--\w+))?", DOCUMENT, re.MULTILINE)
    assert len(lines) == 5
    for name, option in lines:
        command = commands.commands[name]
        assert not option or option in [text for parameter in command.params for text in parameter.opts]
