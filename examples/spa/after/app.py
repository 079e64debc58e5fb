"""The API of a single-page app on another origin: JSON, Flask-CORS with credentials, Flask-Login, passwords."""

from pathlib import Path

from flask import Flask, request
from flask_cors import CORS
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_passkey import Passkey, SQLCredentialRepository, delete_with
from flask_sqlalchemy import SQLAlchemy
from werkzeug.security import check_password_hash, generate_password_hash

db, login_manager = SQLAlchemy(), LoginManager()
passkey = Passkey(credentials=SQLCredentialRepository(session=db.session))


@delete_with
class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True, nullable=False)
    password = db.Column(db.String(255), nullable=False)


login_manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))
passkey.other_sign_in_methods(lambda user: True)  # everybody has a password
passkey.check_password(lambda user, password: check_password_hash(user.password, password))


def create_app(config=None):
    app = Flask(__name__)
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="change me", SQLALCHEMY_DATABASE_URI="sqlite:///people.sqlite3")
    app.config.update(WEB_ORIGIN="http://localhost:3000")
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_CEREMONY_STORE="database")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    app.config.setdefault("PASSKEY_ORIGINS", [app.config["WEB_ORIGIN"]])
    db.init_app(app)
    login_manager.init_app(app)
    passkey.init_app(app)
    CORS(app, origins=[app.config["WEB_ORIGIN"]], supports_credentials=True)
    add_routes(app)
    with app.app_context():
        db.create_all()
    return app


def add_routes(app):
    @app.get("/me")
    @login_required
    def me():
        return {"name": current_user.name, "id": str(current_user.id), "offer": passkey.passkey_offered()}

    @app.post("/sign-up")
    def sign_up():
        sent = request.get_json()
        if db.session.scalar(db.select(User).filter_by(name=sent["name"])):
            return {"message": "This name is taken."}, 409
        db.session.add(User(name=sent["name"], password=generate_password_hash(sent["password"])))
        db.session.commit()
        return {"message": "Welcome! Sign in now."}, 201

    @app.post("/sign-in")
    def sign_in():
        sent = request.get_json()
        user = db.session.scalar(db.select(User).filter_by(name=sent["name"]))
        if user is None or not check_password_hash(user.password, sent["password"]):
            return {"message": "Wrong name or password."}, 403
        login_user(user)
        passkey.offer_passkey()
        return {"message": ""}

    @app.post("/sign-out")
    def sign_out():
        logout_user()
        return {"message": ""}

    @app.delete("/me")
    @login_required
    def delete_account():
        db.session.delete(current_user._get_current_object())
        db.session.commit()
        logout_user()
        return {"message": "Your account is deleted."}
