import pytest

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
