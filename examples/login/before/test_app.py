import re

import flask_migrate
import pytest
from sqlalchemy import inspect

from app import create_app, db

ADA = {"email": "ada@example.com", "password": "correct horse"}


@pytest.fixture
def app(tmp_path):
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/test.sqlite3"})
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


def post(client, form, path, follow_redirects=False, **data):
    token = re.search(r'name="csrf_token".*? value="(.+?)"', client.get(form).text)[1]
    return client.post(path, data={"csrf_token": token, **data}, follow_redirects=follow_redirects)


@pytest.fixture
def client(app):
    client = app.test_client()
    post(client, "/sign-up", "/sign-up", **ADA)
    post(client, "/sign-in", "/sign-in", **ADA)
    return client


def test_dates_are_in_the_users_language(client):
    assert re.search(r"Here since \w+ \d+, \d{4}", client.get("/").text)
    assert re.search(r"Here since \d+\. \w+ \d{4}", client.get("/", headers={"Accept-Language": "de"}).text)


def test_forms_need_a_token(client):
    assert client.post("/sign-out").status_code == 400


def test_a_wrong_password_signs_nobody_in(client, app):
    stranger = app.test_client()
    wrong = post(stranger, "/sign-in", "/sign-in", **ADA | {"password": "wrong"})
    assert "Wrong address or password" in wrong.text
    assert "Please sign in." in stranger.get("/", follow_redirects=True).text


def test_an_address_has_one_account(client):
    assert "This address has an account" in post(client, "/sign-up", "/sign-up", **ADA).text


def test_signing_out(client):
    post(client, "/", "/sign-out")
    assert client.get("/").location.startswith("/sign-in")


def test_a_deleted_account_is_gone(client):
    post(client, "/", "/delete-account")
    assert "Wrong address or password" in post(client, "/sign-in", "/sign-in", **ADA).text


@pytest.mark.filterwarnings("ignore:'get_engine' is deprecated")  # in Flask-Migrate's env.py
def test_a_migration_makes_all_tables(app, tmp_path):
    with app.app_context():
        made = {*inspect(db.engine).get_table_names()}
        db.drop_all()
        folder = str(tmp_path / "migrations")
        flask_migrate.init(folder)
        flask_migrate.migrate(folder)
        flask_migrate.upgrade(folder)
        assert {*inspect(db.engine).get_table_names()} == made | {"alembic_version"}
