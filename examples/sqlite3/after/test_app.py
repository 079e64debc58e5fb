import pytest
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

from app import create_app

ADA = {"name": "ada", "password": "correct horse"}


@pytest.fixture
def app(tmp_path):
    return create_app({"TESTING": True, "DATABASE": str(tmp_path / "notes.sqlite3")})


@pytest.fixture
def client(app):
    client = app.test_client()
    client.post("/sign-up", data=ADA)
    client.post("/sign-in", data=ADA)
    return client


def test_notes_are_kept(client):
    client.post("/notes", data={"text": "Buy milk"})
    assert "Buy milk" in client.get("/").text


def test_a_wrong_password_signs_nobody_in(client, app):
    stranger = app.test_client()
    assert "Wrong name or password" in stranger.post("/sign-in", data=ADA | {"password": "wrong"}).text
    assert stranger.get("/").location == "/sign-in"


def test_a_taken_name_is_refused(client):
    assert "This name is taken" in client.post("/sign-up", data=ADA).text


def test_signing_out(client):
    client.post("/sign-out")
    assert client.get("/").location == "/sign-in"


def test_a_deleted_account_is_gone(client):
    client.post("/delete-account")
    assert "Wrong name or password" in client.post("/sign-in", data=ADA).text


@pytest.fixture
def authenticator():
    return VirtualAuthenticator("http://localhost")


def test_a_passkey_signs_in(client, app, authenticator):
    assert client.post("/sign-in", data=ADA).location == "/passkeys/offer?next=/"
    add_passkey(client, authenticator, passkey_name="Blue key")
    assert client.post("/sign-in", data=ADA).location == "/"
    browser = app.test_client()
    assert 'autocomplete="username webauthn"' in browser.get("/sign-in").text
    sign_in(browser, authenticator)
    assert "Notes of ada" in browser.get("/").text
    assert "Blue key" in browser.get("/passkeys").text


def test_the_password_is_the_way_back(client, authenticator):
    add_passkey(client, authenticator)
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator("http://localhost"))
    assert "not your password" in client.post("/passkeys/confirm", data={"password": "x"}, follow_redirects=True).text
    client.post("/passkeys/confirm", data=ADA)
    add_passkey(client, VirtualAuthenticator("http://localhost"))


def test_passkeys_go_with_the_account(client, authenticator):
    add_passkey(client, authenticator)
    client.post("/delete-account")
    with pytest.raises(Refused):
        sign_in(client, authenticator)
    client.post("/sign-up", data=ADA)  # gets the same id
    client.post("/sign-in", data=ADA)
    assert "Rename" not in client.get("/passkeys").text
