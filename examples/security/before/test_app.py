import pytest

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
