"""Projects: an application factory with Flask-Talisman, Flask-Login, sessions on the server and a small REST API."""

from pathlib import Path

from cachelib import FileSystemCache
from flask import Blueprint, Flask, flash, jsonify, redirect, render_template, request, url_for
from flask.views import MethodView
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_passkey import Passkey, SQLCredentialRepository, delete_with
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from werkzeug.security import check_password_hash, generate_password_hash

db, login_manager, talisman, sessions = SQLAlchemy(), LoginManager(), Talisman(), Session()
passkey = Passkey(credentials=SQLCredentialRepository(session=db.session), pages=True)
passkey.other_sign_in_methods(lambda user: True)  # everybody has a password
passkey.check_password(lambda user, password: check_password_hash(user.password, password))
login_manager.login_view = "pages.sign_in"
pages = Blueprint("pages", __name__)


@delete_with
class User(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True, nullable=False)
    password = db.Column(db.String(255), nullable=False)
    projects = db.relationship("Project", cascade="all, delete-orphan", backref="owner")


class Project(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), nullable=False)
    owner_id = db.Column(db.ForeignKey("user.id"), nullable=False)


login_manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))


def create_app(config=None):
    app = Flask(__name__)
    folder = Path(app.instance_path)
    folder.mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="change me", SQLALCHEMY_DATABASE_URI="sqlite:///projects.sqlite3", HTTPS=False)
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(folder / "sessions"), threshold=0))
    app.config.update(PASSKEY_RP_ID="localhost", PASSKEY_BASE_TEMPLATE="base.html")
    app.config.from_prefixed_env()
    app.config.update(config or {})
    db.init_app(app)
    login_manager.init_app(app)
    sessions.init_app(app)
    passkey.init_app(app)
    https = app.config["HTTPS"]
    talisman.init_app(app, force_https=https, strict_transport_security=https, session_cookie_secure=https)
    app.register_blueprint(pages)
    app.add_url_rule("/api/projects", view_func=Projects.as_view("projects"))
    app.add_url_rule("/api/projects/<int:project_id>", view_func=OneProject.as_view("project"))
    with app.app_context():
        db.create_all()
    return app


class Projects(MethodView):
    decorators = [login_required]

    def get(self):
        return jsonify([{"id": project.id, "name": project.name} for project in current_user.projects])

    def post(self):
        current_user.projects.append(Project(name=request.get_json()["name"]))
        db.session.commit()
        return self.get(), 201


class OneProject(MethodView):
    decorators = [passkey.required(max_age=300)]

    def delete(self, project_id):
        db.session.delete(db.first_or_404(db.select(Project).filter_by(id=project_id, owner=current_user)))
        db.session.commit()
        return "", 204


@pages.get("/")
@login_required
def index():
    return render_template("index.html")


@pages.route("/sign-up", methods=["GET", "POST"])
def sign_up():
    if request.method == "POST":
        if db.session.scalar(db.select(User).filter_by(name=request.form["name"])) is None:
            password = generate_password_hash(request.form["password"])
            db.session.add(User(name=request.form["name"], password=password))
            db.session.commit()
            return redirect(url_for("pages.sign_in"))
        flash("This name is taken.")
    return render_template("sign-up.html")


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in():
    if request.method == "POST":
        user = db.session.scalar(db.select(User).filter_by(name=request.form["name"]))
        if user and check_password_hash(user.password, request.form["password"]):
            login_user(user)
            return redirect(passkey.offer_passkey(next=url_for("pages.index")))
        flash("Wrong name or password.")
    return render_template("sign-in.html")


@pages.post("/sign-out")
def sign_out():
    logout_user()
    return redirect(url_for("pages.sign_in"))


@pages.post("/delete-account")
@login_required
def delete_account():
    db.session.delete(current_user._get_current_object())
    db.session.commit()
    logout_user()
    return redirect(url_for("pages.sign_up"))
