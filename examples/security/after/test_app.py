import pytest
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

from app import create_app, db

ADA = {"email": "ada@example.com", "password": "correct horse"}


@pytest.fixture
def app(tmp_path):
    database = f"sqlite:///{tmp_path}/test.sqlite3"
    app = create_app({"TESTING": True, "WTF_CSRF_ENABLED": False, "SQLALCHEMY_DATABASE_URI": database})
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app):
    client = app.test_client()
    client.post("/sign-up", data=ADA | {"password_confirm": ADA["password"]})
    client.post("/sign-out")
    client.post("/sign-in", data=ADA)
    return client


def test_visits_are_counted(client):
    assert "You were here 2 times" in client.get("/").text


def test_a_wrong_password_signs_nobody_in(client, app):
    stranger = app.test_client()
    assert stranger.post("/sign-in", data=ADA | {"password": "wrong"}).status_code == 200  # the form again
    assert stranger.get("/").location.startswith("/sign-in")


def test_signing_out(client):
    client.post("/sign-out")
    assert client.get("/").location.startswith("/sign-in")


def test_a_deleted_account_is_gone(client):
    client.post("/delete-account")
    assert client.post("/sign-in", data=ADA).status_code == 200  # the form again


@pytest.fixture
def authenticator():
    return VirtualAuthenticator("http://localhost")


def test_a_passkey_signs_in(client, app, authenticator):
    client.post("/sign-out")
    assert client.post("/sign-in", data=ADA).location == "/passkeys/offer?next=/"
    assert "Create a passkey for ada" in client.get("/passkeys/offer?next=/").text
    add_passkey(client, authenticator, passkey_name="Blue key")
    assert client.get("/passkeys/offer?next=/").location == "/"
    browser = app.test_client()
    assert 'autocomplete="username webauthn"' in browser.get("/sign-in").text
    assert sign_in(browser, authenticator)["user"]["name"] == "ada@example.com"
    assert "You were here 4 times" in browser.get("/").text
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
    client.post("/sign-up", data=ADA | {"password_confirm": ADA["password"]})  # gets the same id
    assert "Rename" not in client.get("/passkeys").text
