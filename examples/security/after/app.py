"""A club on Flask-Security, with its own pages for registration and sign-in, passwords and cookie sessions."""

from pathlib import Path

from flask import Flask, redirect, render_template
from flask_passkey import Passkey, SQLCredentialRepository, delete_with
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, logout_user
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
passkey = Passkey(credentials=SQLCredentialRepository(session=db.session), pages=True)
passkey.other_sign_in_methods(lambda user: user.password is not None)
passkey.check_password(lambda user, password: user.verify_and_update_password(password))
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    pass


@delete_with
class User(db.Model, fsqla.FsUserMixin):
    webauthn = ()  # the mixin has it where the package webauthn is, and wants a model


users = SQLAlchemyUserDatastore(db, User, Role)


def create_app(config=None):
    app = Flask(__name__)
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(
        SECRET_KEY="change me",
        SQLALCHEMY_DATABASE_URI="sqlite:///club.sqlite3",
        SECURITY_PASSWORD_SALT="change me",
        SECURITY_REGISTERABLE=True,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_TRACKABLE=True,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SECURITY_REGISTER_URL="/sign-up",
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_URL="/sign-out",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGOUT_VIEW="/sign-in",
    )
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_CEREMONY_STORE="database", PASSKEY_BASE_TEMPLATE="base.html")
    app.config.update(SECURITY_POST_LOGIN_VIEW="/passkeys/offer?next=/", SECURITY_LOGIN_USER_TEMPLATE="sign-in.html")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    db.init_app(app)
    Security(app, users)
    passkey.init_app(app)
    add_pages(app)
    with app.app_context():
        db.create_all()
    return app


def add_pages(app):
    @app.get("/")
    @auth_required("session")
    def index():
        return render_template("index.html")

    @app.post("/delete-account")
    @auth_required("session")
    def delete_account():
        users.delete_user(current_user._get_current_object())
        users.commit()
        logout_user()
        return redirect("/sign-up")
