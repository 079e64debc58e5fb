"""Apps of whatever Flask-Passkey is on the path: settings and requests come in and answers go out, a line of JSON each.

``kinds.py`` runs this with the package of another commit, and keeps the client's side of its own.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from apps import App, make_app

from flask_passkey import ConfigurationError


def answer(asked: dict[str, Any], site: App | None, clients: dict[int, Any]) -> tuple[dict[str, Any], App | None]:
    """Start an app, or send a request to the one that was started last."""
    if "settings" in asked:
        clients.clear()
        try:
            return {}, make_app({"DEBUG": True} | asked["settings"])
        except ConfigurationError as exc:
            return {"refused": str(exc)}, None
    assert site is not None
    client = clients.setdefault(asked.pop("client"), site.app.test_client())
    answered = client.open(**asked)
    return {"status": answered.status_code, "json": answered.get_json(silent=True)}, site


def main() -> None:
    """Answer until there are no more lines."""
    site, clients = None, dict[int, Any]()
    logging.disable()
    for line in sys.stdin:
        answered, site = answer(json.loads(line), site, clients)
        print(json.dumps(answered), flush=True)


if __name__ == "__main__":
    main()
