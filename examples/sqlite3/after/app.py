"""A notebook, on raw sqlite3, with passwords and with Flask's own sessions in a cookie."""

import sqlite3
from functools import wraps
from pathlib import Path

from flask import Blueprint, Flask, current_app, flash, g, redirect, render_template, request, session, url_for
from flask_passkey import Passkey
from werkzeug.security import check_password_hash, generate_password_hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE, text TEXT NOT NULL);
"""

pages = Blueprint("pages", __name__)
passkey = Passkey(pages=True)
passkey.load_user(lambda user_id: find_user("id", user_id))
passkey.other_sign_in_methods(lambda user: True)  # everybody has a password
passkey.check_password(lambda user, password: check_password_hash(user["password"], password))


def create_app(config=None):
    app = Flask(__name__)
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="change me", DATABASE=str(Path(app.instance_path, "notes.sqlite3")))
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_CEREMONY_STORE="database", PASSKEY_BASE_TEMPLATE="base.html")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    app.config.update(PASSKEY_USER_SESSION_KEY="user_id", PASSKEY_DATABASE_URI=f"sqlite:///{app.config['DATABASE']}")
    passkey.init_app(app)
    app.register_blueprint(pages)
    app.teardown_appcontext(close)
    with app.app_context():
        connection().executescript(SCHEMA)
    return app


def connection():
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATABASE"])
        g.connection.row_factory = sqlite3.Row
        g.connection.execute("PRAGMA foreign_keys = ON")
    return g.connection


def close(error=None):
    if "connection" in g:
        g.pop("connection").close()


def run(statement, *values):
    with connection():  # commits
        return connection().execute(statement, values).fetchall()


def find_user(column, value):
    return next(iter(run(f"SELECT * FROM user WHERE {column} = ?", value)), None)


@pages.before_app_request
def load_signed_in_user():
    g.user = find_user("id", session.get("user_id"))


def signed_in(view):
    @wraps(view)
    def guarded(**values):
        return redirect(url_for("pages.sign_in")) if g.user is None else view(**values)

    return guarded


@pages.get("/")
@signed_in
def index():
    notes = run("SELECT text FROM note WHERE user_id = ?", g.user["id"])
    return render_template("index.html", notes=notes)


@pages.post("/notes")
@signed_in
def add_note():
    run("INSERT INTO note VALUES (?, ?)", g.user["id"], request.form["text"])
    return redirect(url_for("pages.index"))


@pages.route("/sign-up", methods=["GET", "POST"])
def sign_up():
    if request.method == "POST":
        password = generate_password_hash(request.form["password"])
        try:
            run("INSERT INTO user (name, password) VALUES (?, ?)", request.form["name"], password)
            return redirect(url_for("pages.sign_in"))
        except sqlite3.IntegrityError:
            flash("This name is taken.")
    return render_template("sign-up.html")


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in():
    if request.method == "POST":
        user = find_user("name", request.form["name"])
        if user and check_password_hash(user["password"], request.form["password"]):
            session.clear()
            session["user_id"] = user["id"]
            return redirect(passkey.offer_passkey(next=url_for("pages.index")))
        flash("Wrong name or password.")
    return render_template("sign-in.html")


@pages.post("/sign-out")
def sign_out():
    session.clear()
    return redirect(url_for("pages.sign_in"))


@pages.post("/delete-account")
@signed_in
def delete_account():
    run("DELETE FROM user WHERE id = ?", g.user["id"])
    passkey.forget_user(str(g.user["id"]))
    session.clear()
    return redirect(url_for("pages.sign_up"))
