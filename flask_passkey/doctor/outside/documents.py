"""The script and the well-known documents, as browsers and password managers fetch them."""

from __future__ import annotations

from collections.abc import Iterator

from ...config import PasskeyConfig, is_local
from ...logs import one_line
from ..findings import Finding, error
from ..routes import documents, proxy_line
from .client import Answer, Site, Unreachable

#: Types that browsers run a module of.
_SCRIPTS = ("text/javascript", "application/javascript", "application/x-javascript", "text/ecmascript")


def check(config: PasskeyConfig, site: Site) -> Iterator[Finding]:
    """Fetch the script and the documents."""
    yield from _script(config, site)
    is_there = site.parts.hostname == config.rp_id or is_local(config.rp_id)
    at_rp_id = site if is_there else Site(f"https://{config.rp_id}{site.path}")
    for path, key in documents(config).items():
        where = site if path == "/.well-known/passkey-endpoints" else at_rp_id
        yield from _document(config, where, path, key)


def _script(config: PasskeyConfig, site: Site) -> Iterator[Finding]:
    path = f"{config.url_prefix}/passkey/static/passkey.js"
    script = site.ask("GET", path)
    if script.status != 200:
        yield error(
            "outside.script",
            f"{site.path}{path} is answered with {script.status}.",
            'url_for("passkey.static", filename="passkey.js"), and no location for *.js in the proxy',
        )
    elif script.content_type not in _SCRIPTS:
        yield error(
            "outside.script-type",
            f"passkey.js is sent as {script.content_type or 'nothing'}, and browsers do not run a module of that type.",
            'mimetypes.add_type("text/javascript", ".js") in the app; include mime.types; in nginx',
        )


def _document(config: PasskeyConfig, site: Site, path: str, key: str) -> Iterator[Finding]:
    try:
        answer = site.ask_root("GET", path)
        if _is_good(config, answer, path):
            return
        is_below = bool(site.path) and _is_good(config, site.ask("GET", path), path)
        got = f"is answered with {answer.status} {answer.content_type}".rstrip()
    except Unreachable as exc:
        is_below, got = False, f"gives no answer ({one_line(str(exc))})"
    if is_below:
        yield error(
            "outside.document-below",
            f"{path}, for {key}, is at {site.path}{path}, and is looked for at the root of the site.",
            proxy_line(path, site.path),
        )
    else:
        yield error(
            "outside.document",
            f"{site.origin}{path}, for {key}, {got}: browsers want the app's document there, as JSON.",
            proxy_line(path, ""),
        )


def _is_good(config: PasskeyConfig, answer: Answer, path: str) -> bool:
    found = answer.json
    if answer.status != 200 or answer.content_type != "application/json" or not found:
        return False
    if path == "/.well-known/webauthn":
        return isinstance(found, dict) and set(config.related_origins) <= set(found.get("origins", ()))
    return path != "/.well-known/passkey-endpoints" or bool(found == dict(config.endpoints))
