"""What is done to an app once, when its first request comes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from apps import App, make_app
from flask.sessions import SessionInterface

from flask_passkey.web import ended


def depth_of_guards(site: App) -> int:
    """Return how often the method that opens sessions is wrapped."""
    opens: Any = site.app.session_interface.open_session
    depth = 0
    while isinstance(opens, partial):
        opens, depth = opens.args[0], depth + 1
    return depth


def test_apps_that_share_a_session_interface_are_both_prepared() -> None:
    """An app whose session interface was guarded for another app first has its own checks all the same."""
    first, second = make_app(), make_app()
    second.app.session_interface = first.app.session_interface
    for site in (first, second):
        site.app.test_client().get("/page")
        assert len(site.app.before_request_funcs[None]) == 1
    assert depth_of_guards(second) == 2


def test_flask_calls_little_of_ours_before_a_request() -> None:
    """Of what Flask calls before a view there is one function for all routes, and none for ours alone."""
    site = make_app()
    site.app.test_client().get("/page")
    before = (site.app.before_request_funcs, site.app.url_value_preprocessors, site.app.after_request_funcs)
    assert [len(functions) for kind in before for functions in kind.values()] == [1]


def test_settings_that_come_too_late_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """A setting that changed after all were read has no effect, which the log says, once; other keys may change."""
    site = make_app({"PASSKEY_TIMEOUT": 60_000})
    site.app.config.update(PASSKEY_STEP_UP_AGE=5, PASSKEY_TIMEOUT=60_000, SECRET_KEY="another")
    for _ in range(2):
        site.app.test_client().get("/page")
    late = [record.getMessage() for record in caplog.records if "no effect" in record.getMessage()]
    assert len(late) == 1
    assert late[0].startswith("PASSKEY_STEP_UP_AGE was changed after")
    with site.app.app_context():
        assert site.passkey.config.step_up_age == 600


def test_first_requests_that_race_prepare_the_app_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many first requests at once, one guards the sessions."""
    site = make_app()
    look = ended.is_guarded

    def look_slowly(interface: SessionInterface) -> bool:
        found = look(interface)
        time.sleep(0.01)
        return found

    monkeypatch.setattr(ended, "is_guarded", look_slowly)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.app.test_client().put("/session/authn").status_code, range(16)))
    assert answers == [200] * 16
    assert depth_of_guards(site) == 2
    assert len(site.app.before_request_funcs[None]) == 1
