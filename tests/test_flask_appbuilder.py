"""Flask-AppBuilder itself, with the code of docs/howto/flask-appbuilder.md."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import count
from types import ModuleType
from typing import Any

import pytest
from apps import SITE
from flask.testing import FlaskClient
from test_docs import ROOT
from test_docs_code import blocks

from flask_passkey.testing import Refused, VirtualAuthenticator, add_passkey, sign_in

PAGE = "docs/howto/flask-appbuilder.md"
#: What it and the extensions that it brings along warn of while they are set up is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.proves("frictions:appbuilder")]
PASSWORD = "correct horse"
NUMBERS = count()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The app of the page."""
    pytest.importorskip("flask_appbuilder", reason="pip install flask-appbuilder")
    folder = tmp_path_factory.mktemp("shop")
    module: Any = ModuleType("shop")
    exec(compile(blocks(PAGE)[0], PAGE, "exec"), vars(module))
    (folder / "templates").mkdir()
    (folder / "templates" / "sign-in.html").write_text(blocks(PAGE, "jinja")[0])
    config = {"TESTING": True, "SECRET_KEY": "x", "WTF_CSRF_ENABLED": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = module.create_app(config | {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/shop.sqlite3"})
    app.jinja_loader.searchpath.insert(0, str(folder / "templates"))
    module.app, module.manager = app, app.extensions["appbuilder"].sm
    yield module
    with app.app_context():
        module.db.session.remove()
        module.db.engine.dispose()


@pytest.fixture(params=["Admin", "Public"])
def name(site: Any, request: pytest.FixtureRequest) -> str:
    """Somebody new who may do everything, or nothing."""
    return add_user(site, request.param)


def add_user(site: Any, role: str) -> str:
    """Add somebody with a role, and return the name."""
    name = f"user{next(NUMBERS)}"
    with site.app.app_context():
        site.manager.add_user(name, name, "L", f"{name}@example.com", site.manager.find_role(role), PASSWORD)
    return name


def with_password(site: Any, name: str) -> tuple[FlaskClient, str]:
    """Sign in with the password; return the browser, and where it is led to."""
    client = site.app.test_client()
    return client, client.post("/login/", data={"username": name, "password": PASSWORD}).location


def test_a_passkey_is_offered_and_signs_in(site: Any, name: str) -> None:
    """Whatever their role, people are offered a passkey in its layout, see the list, sign in, and are counted."""
    client, location = with_password(site, name)
    assert location.startswith("/passkeys/offer?next=/")
    offered = client.get(location).text
    assert "Create a passkey" in offered and "navbar" in offered
    key = VirtualAuthenticator(SITE)
    add_passkey(client, key)
    assert with_password(site, name)[1] == "/"
    assert "navbar" in client.get("/passkeys").text
    browser = site.app.test_client()
    assert 'data-passkey="authenticate"' in browser.get("/login/").text
    assert sign_in(browser, key)["user"]["name"] == name
    with site.app.app_context():
        user = site.manager.find_user(name)
        assert (user.login_count, user.fail_login_count) == (3, 0)
    assert browser.get("/passkeys").status_code == 200


@pytest.mark.parametrize(("role", "sees"), [("Admin", True), ("Public", False)])
def test_the_menu_is_the_administrators(site: Any, role: str, sees: bool) -> None:
    """A new entry of the menu is there for Admin, and not for a role without the right."""
    client, _ = with_password(site, add_user(site, role))
    assert ("Your passkeys" in client.get("/", follow_redirects=True).text) is sees


def test_a_password_and_an_account(site: Any) -> None:
    """Passkeys outlive a change of the password, let nobody in who is not active, and go with the account."""
    name = add_user(site, "Public")
    client, _ = with_password(site, name)
    key = VirtualAuthenticator(SITE)
    add_passkey(client, key)
    with site.app.app_context():
        site.manager.reset_password(site.manager.find_user(name).id, "other")
    browser = site.app.test_client()
    user_id = sign_in(browser, key)["user"]["id"]
    set_active(site, name, active=False)
    with pytest.raises(Refused) as refused:
        sign_in(site.app.test_client(), key)
    assert (refused.value.status, browser.get("/user/authn").status_code) == (403, 401)
    set_active(site, name, active=True)
    with site.app.app_context():
        site.db.session.delete(site.manager.find_user(name))
        site.db.session.commit()
        assert site.passkey.credentials.of_user(user_id) == []


def set_active(site: Any, name: str, *, active: bool) -> None:
    """Let somebody in, or shut them out."""
    with site.app.app_context():
        user = site.manager.find_user(name)
        user.active = active
        site.manager.update_user(user)


def test_who_lost_the_passkey_gives_the_password(site: Any) -> None:
    """Its passwords confirm who somebody is, in the ready page."""
    client, _ = with_password(site, add_user(site, "Admin"))
    add_passkey(client, VirtualAuthenticator(SITE))
    with pytest.raises(Refused):
        add_passkey(client, VirtualAuthenticator(SITE))
    assert client.post("/passkeys/confirm", data={"password": "wrong"}).location.endswith("passkey=password")
    client.post("/passkeys/confirm", data={"password": PASSWORD})
    add_passkey(client, VirtualAuthenticator(SITE))


def test_the_check_finds_nothing(site: Any) -> None:
    """`flask passkey check` has nothing to say of such an app."""
    done = site.app.test_cli_runner().invoke(args=["passkey", "check"])
    assert "ERROR" not in done.output and done.exit_code == 0, done.output


def test_the_page_is_in_the_site() -> None:
    """The page is where people look for it."""
    assert "howto/flask-appbuilder" in (ROOT / "docs" / "index.md").read_text("utf-8")
