"""Our files for browsers: their content decides their addresses, their ETags and how long they are kept."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from functools import lru_cache
from hashlib import sha384
from pathlib import Path
from typing import Any

from flask import Response, current_app, request, send_from_directory, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from ..state import common
from .sentences import translated

FOLDER = str(Path(__file__).parent.parent / "static")
#: The member of an address that says what is in the file.
VERSION = "v"
#: In seconds: a year, which is the longest that caches may be told (RFC 2616, section 14.21).
FOREVER = 31_536_000
#: Everything for pages in one file, and what old browsers run in its place.
SCRIPT, OLD_SCRIPT = "passkey.min.js", "passkey-old.js"


def send(filename: str, max_age: int | None) -> Response:
    """Answer with a file: kept for good at the address with its version, as the app's other files at the plain one.

    At another version's address it is the file of today, which nobody may keep: so no cache holds the one release at
    the other's address. A page that another release made refuses the file by its ``integrity``, and works when it is
    loaded again.

    :param max_age: in seconds, for the plain address; ``None``: ask each time.
    """
    version = version_of(filename)
    asked = request.args.get(VERSION)
    kept = FOREVER if asked == version else max_age if asked is None else None
    response = send_from_directory(FOLDER, filename, max_age=lambda _: kept, etag=version)
    del response.headers["Last-Modified"]  # when the package was installed, which no two nodes agree on
    response.cache_control.immutable = asked == version
    return response


def version_of(filename: str) -> str:
    """Return what tells a file from earlier ones of its name."""
    return _digest_of(filename).hex()[:16]


def integrity_of(filename: str) -> str:
    """Return what an ``integrity`` attribute says of a file (Subresource Integrity, section 3.1)."""
    return f"sha384-{b64encode(_digest_of(filename)).decode()}"


def url_of(filename: str) -> str:
    """Return the address of a file with its version."""
    values: dict[str, Any] = {VERSION: version_of(filename)}
    return url_for(f"{common().blueprint_name}.static", filename=filename, **values)


def script_tag(nonce: str | None = None) -> Markup:
    """Return what loads ``passkey.js`` into a page, with its sentences where the page is not in English."""
    rest = "" if nonce is None else Markup(' nonce="{}"').format(nonce)
    module = Markup('<script type="module" src="{}" integrity="{}"{}></script>')
    old = Markup('<script nomodule defer src="{}" integrity="{}"{}></script>')
    tags = ((module, SCRIPT), (old, OLD_SCRIPT))
    lines = [tag.format(url_of(name), integrity_of(name), rest) for tag, name in tags]
    return Markup("\n").join([*_translation(), *lines])


def _translation() -> list[Markup]:
    """Return the sentences in the visitor's language: data, which no policy keeps out."""
    tag = Markup('<script type="application/json" data-passkey-translation>{}</script>')
    sentences = translated()
    return [tag.format(current_app.jinja_env.call_filter("tojson", sentences))] if sentences else []


def _digest_of(filename: str) -> bytes:
    path = safe_join(FOLDER, filename)
    try:
        known = os.stat(path or "")
    except (OSError, ValueError):
        raise NotFound from None
    if not stat.S_ISREG(known.st_mode):
        raise NotFound
    return _digest(str(path), known.st_mtime_ns, known.st_size)


@lru_cache(maxsize=64)
def _digest(path: str, changed: int, size: int) -> bytes:
    """Return the digest of a file, read again when it has changed."""
    return sha384(Path(path).read_bytes()).digest()
