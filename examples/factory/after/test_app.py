import pytest
from cachelib import SimpleCache
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

from app import create_app, db

ADA = {"name": "ada", "password": "correct horse"}


@pytest.fixture
def app(tmp_path):
    database = f"sqlite:///{tmp_path}/test.sqlite3"
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": database, "SESSION_CACHELIB": SimpleCache()})
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app):
    client = app.test_client()
    client.post("/sign-up", data=ADA)
    client.post("/sign-in", data=ADA)
    client.post("/api/projects", json={"name": "Engine"})
    return client


def test_projects_are_kept(client):
    assert client.get("/api/projects").json == [{"id": 1, "name": "Engine"}]
    assert "Engine" in client.get("/").text


def test_somebody_else_cannot_delete_a_project(client, app):
    other = app.test_client()
    other.post("/sign-up", data=ADA | {"name": "eve"})
    other.post("/sign-in", data=ADA | {"name": "eve"})
    assert other.delete("/api/projects/1").status_code >= 400
    assert client.get("/api/projects").json == [{"id": 1, "name": "Engine"}]


def test_scripts_are_the_apps_own(client):
    assert client.get("/").headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_wrong_password_signs_nobody_in(client, app):
    stranger = app.test_client()
    assert "Wrong name or password" in stranger.post("/sign-in", data=ADA | {"password": "wrong"}).text
    assert stranger.get("/").location.startswith("/sign-in")


def test_signing_out(client):
    client.post("/sign-out")
    assert client.get("/").location.startswith("/sign-in")


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
    assert sign_in(browser, authenticator)["user"]["name"] == "ada"
    assert "Blue key" in browser.get("/passkeys").text


def test_a_project_is_deleted_with_a_passkey(client, authenticator):
    refused = client.delete("/api/projects/1")
    assert (refused.status_code, refused.json["code"]) == (403, 40091)
    add_passkey(client, authenticator)
    sign_in(client, authenticator)
    assert client.delete("/api/projects/1").status_code == 204


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
