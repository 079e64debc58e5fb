"""A notebook, on raw sqlite3, with passwords and with Flask's own sessions in a cookie."""

import sqlite3
from functools import wraps
from pathlib import Path

from flask import Blueprint, Flask, current_app, flash, g, redirect, render_template, request, session, url_for
from flask_passkey import Passkey, UserInfo
from werkzeug.security import check_password_hash, generate_password_hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE, text TEXT NOT NULL);
"""

pages = Blueprint("pages", __name__)
passkey = Passkey()


def create_app(config=None):
    app = Flask(__name__)
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="change me", DATABASE=str(Path(app.instance_path, "notes.sqlite3")))
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_CEREMONY_STORE="database")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    app.config.setdefault("PASSKEY_DATABASE_URI", f"sqlite:///{app.config['DATABASE']}")
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


@passkey.get_current_user
def get_current_user():
    return find_user("id", session.get("user_id"))  # g.user is older than a sign-in in this request


@passkey.load_user
def load_user(user_id):
    return find_user("id", user_id)


@passkey.login_user
def login_user(user):
    session["user_id"] = user["id"]


@passkey.describe_user
def describe_user(user):
    return UserInfo(str(user["id"]), user["name"], "")


@passkey.other_sign_in_methods
def has_password(user):
    return True


@pages.get("/")
@signed_in
def index():
    notes = run("SELECT text FROM note WHERE user_id = ?", g.user["id"])
    return render_template("index.html", notes=notes, offer=passkey.passkey_offered())


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
            passkey.offer_passkey()
            return redirect(url_for("pages.index"))
        flash("Wrong name or password.")
    return render_template("sign-in.html")


@pages.post("/sign-out")
def sign_out():
    session.clear()
    passkey.signed_out()
    return redirect(url_for("pages.sign_in"))


@pages.get("/passkeys")
@signed_in
def passkeys():
    return render_template("passkeys.html", passkeys=passkey.list_passkeys())


@pages.post("/passkeys/confirm")  # for those who lost their passkey
@signed_in
def confirm():
    if check_password_hash(g.user["password"], request.form["password"]):
        passkey.confirm_user()
    else:
        flash("Wrong password.")
    return redirect(url_for("pages.passkeys"))


@pages.post("/delete-account")
@signed_in
def delete_account():
    run("DELETE FROM user WHERE id = ?", g.user["id"])
    passkey.forget_user(str(g.user["id"]))
    session.clear()
    return redirect(url_for("pages.sign_up"))
