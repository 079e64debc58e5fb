import pytest
from cachelib import SimpleCache

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
