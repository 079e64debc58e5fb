import pytest

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
