"""Where ``passkey.js`` looks for the routes when it is not at its own address, and whether cookies go along."""

from __future__ import annotations

import pytest
from scripts import STATIC, run_script

pytestmark = pytest.mark.proves("frictions:M")

#: The module's text with another address, as a browser or a bundler gives it; ``undefined`` in a bundle of esbuild's.
AT = """
const { readFile } = await import("node:fs/promises");
const text = (await readFile(new URL(given.module), "utf8")).replaceAll("./passkey-core.js", given.core);
const moved = text.replaceAll("import.meta.url", JSON.stringify(given.address) ?? "({}).url");
const { PasskeyClient } = await import("data:text/javascript," + encodeURIComponent(moved));
"""


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://example.com/passkey/static/passkey.js", "https://example.com"),
        ("https://example.com/api/v4/passkey/static/passkey.js?v=2", "https://example.com/api/v4"),
        ("http://localhost:5000/passkey/static/passkey.js", "http://localhost:5000"),
        ("https://example.com/assets/index-B1a2.js", ""),
        ("https://example.com/passkey/static/more/passkey.js", ""),
        ("file:///home/ada/app/flask_passkey/passkey/static/passkey.js", ""),
        ("/passkey/static/passkey.js", ""),
        (None, ""),
    ],
)
def test_where_the_routes_are(address: str | None, base: str) -> None:
    """They are below the blueprint's address, and at the page's origin when the module comes from anywhere else."""
    module, core = ((STATIC / name).as_uri() for name in ("passkey-client.js", "passkey-core.js"))
    given = {"module": module, "core": core, "address": address}
    assert run_script(f"{AT} return new PasskeyClient().base;", given) == base


def test_the_page_can_say_where() -> None:
    """``data-passkey-base`` holds for every client that is not told otherwise."""
    found = run_script(
        """document.documentElement.dataset.passkeyBase = "/api";
        return [new m.PasskeyClient().base, new m.PasskeyClient({ base: "" }).base];"""
    )
    assert found == ["/api", ""]


@pytest.mark.proves("browser:rule-12")
@pytest.mark.parametrize(
    ("base", "credentials"),
    [
        ("", "same-origin"),
        ("/api", "same-origin"),
        ("https://example.com", "same-origin"),
        ("//example.com:443/api", "same-origin"),
        ("https://api.example.com", "include"),
        ("https://example.com:5000", "include"),
    ],
)
def test_cookies_go_to_another_origin(base: str, credentials: str) -> None:
    """An API on another origin gets the cookies, and nobody has to ask for that."""
    script = "await new m.PasskeyClient({ fetch, base: given }).list(); return sent[0].credentials;"
    assert run_script(script, base) == credentials
