import pytest
from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

from app import create_app, db

ADA = {"name": "ada", "password": "correct horse"}
WEB = {"Origin": "http://localhost:3000"}


@pytest.fixture
def app(tmp_path):
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/test.sqlite3"})
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app):
    client = app.test_client()
    client.post("/sign-up", json=ADA)
    client.post("/sign-in", json=ADA)
    return client


def test_only_the_pages_read_answers(client):
    answer = client.get("/me", headers=WEB)
    assert answer.json["name"] == "ada"
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Origin" not in client.get("/me", headers={"Origin": "http://evil.example"}).headers


def test_a_wrong_password_signs_nobody_in(client, app):
    stranger = app.test_client()
    assert stranger.post("/sign-in", json=ADA | {"password": "wrong"}).status_code == 403
    assert stranger.get("/me").status_code == 401


def test_a_taken_name_is_refused(client):
    assert client.post("/sign-up", json=ADA).status_code == 409


def test_signing_out(client):
    client.post("/sign-out")
    assert client.get("/me").status_code == 401


def test_a_deleted_account_is_gone(client):
    client.delete("/me")
    assert client.post("/sign-in", json=ADA).status_code == 403


@pytest.fixture
def authenticator():
    return VirtualAuthenticator(WEB["Origin"])


def test_a_passkey_signs_in(client, app, authenticator):
    assert client.get("/me").json["offer"]
    add_passkey(client, authenticator)
    assert not client.get("/me").json["offer"]
    browser = app.test_client()
    sign_in(browser, authenticator)
    assert browser.get("/me").json["name"] == "ada"


def test_other_origins_have_no_passkeys(client):
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator("http://evil.localhost:3000"))


def test_the_password_is_the_way_back(client, authenticator):
    add_passkey(client, authenticator)
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator(WEB["Origin"]))
    assert client.post("/session/authn/password", json={"password": "wrong"}).status_code == 403
    client.post("/session/authn/password", json=ADA)
    add_passkey(client, VirtualAuthenticator(WEB["Origin"]))


def test_passkeys_go_with_the_account(client, authenticator):
    add_passkey(client, authenticator)
    client.delete("/me")
    with pytest.raises(Refused):
        sign_in(client, authenticator)
    client.post("/sign-up", json=ADA)  # gets the same id
    client.post("/sign-in", json=ADA)
    assert client.get("/user/authn").json["data"]["credentials"] == []
