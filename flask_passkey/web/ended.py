"""Sessions that ended stay ended, whatever other request of them was under way.

The methods of the app's session interface are wrapped: a request that has read a session saves it only while its
record is there, and otherwise leaves the browser's cookie alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

from flask import Flask, Request, Response, has_request_context
from flask.sessions import SessionInterface, SessionMixin

from ..errors import CeremonyStoreUnavailable
from ..pending.internals import replace_saving
from ..pending.sessions import Move, Save, SessionEnded, lock_for, mover_for, saver_for
from ..proxies import current_application, current_request, current_session

#: In the environment of a request that the app serves; of a test's look into a session it is not.
SERVED = "passkey.served"
#: There, too: the session as it was opened.
SESSION = "passkey.session"
#: And what was in it, by name.
NAMES = "passkey.session_names"
_READ = "passkey.session_read"
# A session is given a new id with which it will be saved; the name of its old record, which goes then.
_MOVING = "passkey.session_moving"
_OLD = "passkey.session_old"


def guard(interface: SessionInterface, *, at_end: Callable[[SessionMixin], None]) -> None:
    """Wrap the methods of a session interface.

    :param at_end: is called with each session before it is saved.
    """
    wrapped: Any = interface
    wrapped.open_session = partial(_open_session, interface.open_session)
    wrapped.save_session = partial(_save_session, interface.save_session, at_end)
    if (saver := saver_for(interface)) is not None:
        lock, mover = lock_for(interface), mover_for(interface)
        delete = partial(_delete, lock) if lock else _delete_or_note if mover else None
        replace_saving(interface, partial(_upsert, saver, mover), delete)


def is_guarded(interface: SessionInterface) -> bool:
    """Tell whether :func:`guard` has wrapped this interface; others may have wrapped it since."""
    opens: Any = interface.open_session
    while isinstance(opens, partial):
        if opens.func is _open_session:
            return True
        opens = next(iter(opens.args), None)
    return False


def was_read(session: Any) -> bool:
    """Tell whether the browser knows the id that a session has, so that others may, too."""
    sid = getattr(session, "sid", None)
    return sid is None or bool(current_request().environ.get(_READ, sid) == sid)


def rotate(session: Any, *, when_saved: bool = False) -> None:
    """Give a session that the browser had before a new id; once in a request, as the new one is not known to anybody.

    Sessions in a cookie have none.

    :param when_saved: the old record may stay until the session is saved, which saves a way to some stores and back.
    :raises CeremonyStoreUnavailable: the session store cannot be reached.
    """
    regenerate = getattr(current_application().session_interface, "regenerate", None)
    if regenerate is None or not was_read(session):
        return
    session[_READ] = True  # an empty session would keep its id
    environ = current_request().environ
    environ[_MOVING] = when_saved
    try:
        regenerate(session)
    except Exception as exc:  # whatever the session store's library raises
        raise CeremonyStoreUnavailable(f"the session store failed: {type(exc).__name__}") from exc
    finally:
        current_session().pop(_READ, None)  # which the interface may have replaced
        del environ[_MOVING]


def _open_session(open_session: Callable[[Flask, Request], Any], app: Flask, request: Request) -> Any:
    session = open_session(app, request)
    sid = getattr(session, "sid", None)
    environ, sent = request.environ, request.cookies
    cookie = app.config["SESSION_COOKIE_NAME"]
    environ[SESSION] = session
    environ[NAMES] = () if session is None else (*session,)
    # Where it is signed, the id comes first.
    environ[_READ] = sid if sid and cookie in sent and sent[cookie].startswith(str(sid)) else ""
    return session


def _save_session(
    save_session: Callable[[Flask, SessionMixin, Response], None],
    at_end: Callable[[SessionMixin], None],
    app: Flask,
    session: SessionMixin,
    response: Response,
) -> None:
    at_end(session)
    try:
        save_session(app, session, response)
    except SessionEnded:
        app.logger.info("A session ended while this request was under way; it was not saved.")


def _upsert(
    saver: Save, mover: Move | None, upsert: Save, session_lifetime: timedelta, session: Any, store_id: str
) -> None:
    environ = current_request().environ if has_request_context() else {}
    known = environ.get(_READ) == session.sid
    if mover is not None and (old := environ.pop(_OLD, None)) is not None:
        mover(session_lifetime, session, store_id, old)
    else:
        (saver if known else upsert)(session_lifetime, session, store_id)


def _delete_or_note(delete: Callable[[str], None], store_id: str) -> None:
    environ = current_request().environ if has_request_context() else {}
    if environ.get(_MOVING):
        environ[_OLD] = store_id
        return
    if (old := environ.pop(_OLD, None)) is not None:  # the session turned out empty, and is not saved
        delete(old)
    delete(store_id)


def _delete(lock: Callable[[], AbstractContextManager[None]], delete: Callable[[str], None], store_id: str) -> None:
    with lock():
        delete(store_id)
