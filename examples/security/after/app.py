"""A club on Flask-Security, with its own pages for registration and sign-in, passwords and cookie sessions."""

from pathlib import Path

from flask import Flask, flash, redirect, render_template, request
from flask_passkey import Passkey, SQLCredentialRepository, delete_with
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, login_user, logout_user
from flask_security.models import fsqla_v3 as fsqla
from flask_security.signals import user_authenticated
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    pass


class User(db.Model, fsqla.FsUserMixin):
    webauthn = None  # the mixin has it where the package webauthn is, and wants a model


users = SQLAlchemyUserDatastore(db, User, Role)
passkey = Passkey(credentials=SQLCredentialRepository(session=db.session))
delete_with(User)


@passkey.login_user
def sign_in(user):
    login_user(user, authn_via=["passkey"])
    users.commit()  # it counts visits


@passkey.other_sign_in_methods
def has_password(user):
    return user.password is not None


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
        SECURITY_LOGIN_USER_TEMPLATE="sign-in.html",
        PASSKEY_RP_ID="localhost",
        PASSKEY_CEREMONY_STORE="database",
    )
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
        return render_template("index.html", offer=passkey.passkey_offered())

    @app.get("/passkeys")
    @auth_required("session")
    def passkeys():
        return render_template("passkeys.html", passkeys=passkey.list_passkeys())

    @app.post("/passkeys/confirm")  # for those who lost their passkey
    @auth_required("session")
    def confirm():
        if current_user.verify_and_update_password(request.form["password"]):
            users.commit()
            passkey.confirm_user()
        else:
            flash("Wrong password.")
        return redirect("/passkeys")

    @user_authenticated.connect_via(app)
    def offer_passkey(app, user, authn_via, **extra):
        if authn_via == ["password"]:
            passkey.offer_passkey()

    @app.post("/delete-account")
    @auth_required("session")
    def delete_account():
        users.delete_user(current_user._get_current_object())
        users.commit()
        logout_user()
        return redirect("/sign-up")
