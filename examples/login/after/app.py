"""A member area: Flask-Login, Flask-SQLAlchemy, Flask-Migrate, Flask-WTF and Flask-Babel, on sessions in a cookie."""

from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, flash, redirect, render_template, request, url_for
from flask_babel import Babel, lazy_gettext
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_migrate import Migrate
from flask_passkey import Passkey, SQLCredentialRepository, add_tables_to, delete_with
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.security import check_password_hash, generate_password_hash

db = SQLAlchemy()
add_tables_to(db.metadata)
passkey = Passkey(credentials=SQLCredentialRepository(session=db.session), pages=True)
passkey.other_sign_in_methods(lambda user: True)  # everybody has a password
passkey.check_password(lambda user, password: check_password_hash(user.password, password))
login_manager = LoginManager()
login_manager.login_view = "sign_in"
login_manager.login_message = lazy_gettext("Please sign in.")


@delete_with
class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(255), unique=True, nullable=False)
    password = db.Column(db.String(255), nullable=False)
    since = db.Column(db.DateTime, nullable=False, default=lambda: datetime.now(UTC))


@login_manager.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))


def create_app(config=None):
    app = Flask(__name__)
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="change me", SQLALCHEMY_DATABASE_URI="sqlite:///members.sqlite3")
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_CEREMONY_STORE="database", PASSKEY_BASE_TEMPLATE="base.html")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    db.init_app(app)
    Migrate(app, db)
    CSRFProtect(app)
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "de"]))
    login_manager.init_app(app)
    passkey.init_app(app)
    add_pages(app)
    return app


def add_pages(app):
    @app.get("/")
    @login_required
    def index():
        return render_template("index.html")

    @app.route("/sign-up", methods=["GET", "POST"])
    def sign_up():
        if request.method == "POST":
            if db.session.scalar(db.select(User).filter_by(email=request.form["email"])) is None:
                password = generate_password_hash(request.form["password"])
                db.session.add(User(email=request.form["email"], password=password))
                db.session.commit()
                return redirect(url_for("sign_in"))
            flash("This address has an account.")
        return render_template("sign-up.html")

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in():
        if request.method == "POST":
            user = db.session.scalar(db.select(User).filter_by(email=request.form["email"]))
            if user and check_password_hash(user.password, request.form["password"]):
                login_user(user)
                return redirect(passkey.offer_passkey(next=url_for("index")))
            flash("Wrong address or password.")
        return render_template("sign-in.html")

    @app.post("/sign-out")
    def sign_out():
        logout_user()
        return redirect(url_for("sign_in"))

    @app.post("/delete-account")
    @login_required
    def delete_account():
        db.session.delete(current_user._get_current_object())
        db.session.commit()
        logout_user()
        return redirect(url_for("sign_up"))
