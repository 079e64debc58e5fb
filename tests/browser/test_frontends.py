"""``passkey.js`` in front ends of all kinds: bundled, from another origin, and on pages that change without loading."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import MODULE, Authenticator, Site, Watch, wait_for_autofill
from flask import Flask, Response, request, send_from_directory
from often import seldom_but
from playwright.sync_api import Page, expect

#: An account is made and signed in with a client that nobody told where the routes are, and something is refused.
ENTRY = """
import { PasskeyClient } from "MODULE";
globalThis.journey = async () => {
  const client = new PasskeyClient();
  await client.signUp({ name: "ada" });
  const { user } = await client.authenticate();
  const refused = await client.signUp({ name: " " }).catch((error) => error.message);
  return [user.name, (await client.list()).length, refused];
};
"""
WENT = ["ada", 1, "Please enter a name."]
#: What it imports: a file, and what npm has packed.
SOURCES = {"file": str(MODULE), "package": "flask-passkey", "client": "flask-passkey/client"}
#: How each bundler makes ``out/main.js`` of ``main.js``, without a file of settings.
BUNDLERS = {
    "esbuild, IIFE": ["esbuild", "main.js", "--bundle", "--outfile=out/main.js"],
    "esbuild, module": ["esbuild", "main.js", "--bundle", "--format=esm", "--minify", "--outfile=out/main.js"],
    "webpack": ["webpack", "./main.js", "--mode=production", "--output-path=out", "--output-filename=main.js"],
    "vite": ["vite", "build", "--logLevel=warn", "--config=vite.config.mjs"],
}
VITE = """
const output = { entryFileNames: "main.js" };
export default { build: { outDir: "out", rolldownOptions: { input: "main.js", output } } };
"""


def serve_folder(folder: Path) -> Callable[[Flask], None]:
    """Return what lets the demo serve a folder below ``/front``."""

    def prepare(app: Flask) -> None:
        app.add_url_rule("/front/<path:name>", "front", lambda name: send_from_directory(folder, name))

    return prepare


def bundle(bundler: str, entry: str, bundlers: Path, folder: Path, packages: Path | None = None) -> Path:
    """Make a bundle of a script in a new folder, and return the folder of the bundle, whose name is ``main.js``.

    :param packages: the folder whose packages the script imports; else those that are beside the bundlers.
    """
    folder.mkdir()
    (folder / "main.js").write_text(entry)
    (folder / "vite.config.mjs").write_text(VITE)
    (folder / "node_modules").symlink_to((packages or bundlers) / "node_modules")
    command = [str(bundlers / "node_modules" / ".bin" / BUNDLERS[bundler][0]), *BUNDLERS[bundler][1:]]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "out"


@pytest.mark.proves("browser:bundles", "frictions:M")
@pytest.mark.parametrize("source", seldom_but(["package"], SOURCES))
@pytest.mark.parametrize("bundler", BUNDLERS)
def test_bundled(
    bundler: str,
    source: str,
    page: Page,
    serve: Callable[..., Site],
    authenticator: Authenticator,
    bundlers: Path,
    tmp_path: Path,
) -> None:
    """In a bundle of every kind the module loads and finds the routes, and its words, without a word from the app."""
    entry = ENTRY.replace("MODULE", SOURCES[source])
    site = serve(prepare=serve_folder(bundle(bundler, entry, bundlers, tmp_path / "front")))
    page.goto(f"{site.url}/sign-up")
    page.add_script_tag(url="/front/main.js", type="" if "IIFE" in bundler else "module")
    page.wait_for_function("() => globalThis.journey")
    assert page.evaluate("journey()") == WENT


def allow_other_origins(app: Flask) -> None:
    """Do what Flask-CORS does with ``supports_credentials``."""

    def allow(response: Response) -> Response:
        if origin := request.headers.get("Origin"):
            allowed = {
                "Origin": origin,
                "Credentials": "true",
                "Methods": "PUT, PATCH, DELETE",
                "Headers": "content-type",
            }
            for name, value in allowed.items():
                response.headers[f"Access-Control-Allow-{name}"] = value
        return response

    app.after_request(allow)


def allow_to_connect(app: Flask) -> None:
    """Take the policy away that keeps the demo's pages to their own origin."""

    def allow(response: Response) -> Response:
        del response.headers["Content-Security-Policy"]
        return response

    app.after_request_funcs[None].insert(0, allow)  # Flask calls the first one last


@pytest.mark.proves("browser:another-origin")
@pytest.mark.parametrize("how", ["imported from there", "with a base"])
def test_an_api_on_another_origin(
    how: str, page: Page, serve: Callable[..., Site], authenticator: Authenticator
) -> None:
    """A page at one port uses the API at another one: cookies go along by themselves."""
    front = serve(prepare=allow_to_connect)
    api = serve(prepare=allow_other_origins, PASSKEY_ORIGINS=[front.url])
    page.goto(f"{front.url}/sign-up")
    found: Any = page.evaluate(
        """async ([from, base]) => {
          const { PasskeyClient } = await import(`${from}/passkey/static/passkey.js`);
          const client = new PasskeyClient({ base });
          await client.signUp({ name: "ada" });
          const { user } = await client.authenticate();
          return [user.name, (await client.list()).length];
        }""",
        [api.url, None] if "imported" in how else [front.url, api.url],
    )
    assert found == ["ada", 1]


FORM = """<p id="sign-in"><form data-passkey="authenticate" data-passkey-autofill data-passkey-next="/done">
<input name="name" autocomplete="username webauthn"><button>Go</button></form>
<button data-passkey="authenticate" data-passkey-next="/done" data-passkey-if="available" hidden>Passkey</button></p>"""
HEAD = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/passkey/static/passkey.js"></script>'
#: Pages that get their form later, from ``/form``, and lose it again: how each front end does it.
HTMX = f"""{HEAD}<script src="/npm/htmx.org/dist/htmx.min.js"></script><body><div id="here"></div>
<a hx-get="/form" hx-target="#here" href="/form">Show</a>
<a hx-get="/nothing" hx-target="#here" href="/nothing">Hide</a>"""
#: Without Turbo's previews, or autofill starts for its copy of the page and once more for the page.
TURBO = """<meta name="turbo-cache-control" content="no-preview">
<script type="module" src="/npm/@hotwired/turbo/dist/turbo.es2017-esm.js"></script><body>
<a href="/form">Show</a> <a href="/nothing">Hide</a>"""


def front_end(kind: str, folder: Path) -> Callable[[Flask], None]:
    """Return what adds a page ``/front`` to the demo that gets its form by htmx or Turbo."""

    def prepare(app: Flask) -> None:
        allow_to_connect(app)
        page = HTMX if kind == "htmx" else HEAD + TURBO
        rest = "" if kind == "htmx" else HEAD + TURBO
        answers = {"/front": page, "/form": rest + FORM, "/nothing": rest, "/done": f"{HEAD}<h1>Done</h1>"}
        for number, (path, text) in enumerate(answers.items()):
            app.add_url_rule(path, f"answer_{number}", lambda text=text: text)
        app.add_url_rule("/npm/<path:name>", "npm", lambda name: send_from_directory(folder / "node_modules", name))

    return prepare


@pytest.mark.proves("browser:htmx", "frictions:N")
@pytest.mark.parametrize("kind", ["htmx", "turbo"])
def test_pages_that_change_without_loading(
    kind: str, page: Page, serve: Callable[..., Site], authenticator: Authenticator, bundlers: Path
) -> None:
    """A form that comes later has autofill and shows its button; autofill ends when the form goes."""
    site = serve(prepare=front_end(kind, bundlers))
    page.goto(f"{site.url}/sign-up")
    page.evaluate("import('/passkey/static/passkey.js').then((m) => m.passkey.signUp({ name: 'ada' }))")
    authenticator.present(False)
    page.goto(f"{site.url}/front")
    page.evaluate("globalThis.isSamePage = true")
    page.get_by_role("link", name="Show").click()
    wait_for_autofill(page)
    expect(page.get_by_role("button", name="Passkey")).to_be_visible()
    page.get_by_role("link", name="Hide").click()
    expect(page.get_by_role("button", name="Passkey")).to_be_hidden()
    page.wait_for_function("() => asked[0].signal.aborted")
    page.get_by_role("link", name="Show").click()
    wait_for_autofill(page, 2)
    assert page.evaluate("globalThis.isSamePage")
    authenticator.present(True)
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading")).to_have_text("Done")


@pytest.mark.proves("browser:web-components")
@pytest.mark.parametrize("how", ["button", "form", "Enter", "closed"])
def test_shadow_roots(how: str, page: Page, site: Site, authenticator: Authenticator) -> None:
    """Buttons and forms in shadow roots work, in closed ones after ``attach()``; the message is shown beside them."""
    page.goto(f"{site.url}/sign-up")
    page.evaluate(
        """async (how) => {
          const m = await import("/passkey/static/passkey.js");
          await m.passkey.signUp({ name: "ada" });
          const host = document.querySelector("main").appendChild(document.createElement("div"));
          globalThis.root = host.attachShadow({ mode: how === "closed" ? "closed" : "open" });
          root.innerHTML = `<form data-passkey="step-up"><input id="name"><button>Form</button></form>
            <button type="button" data-passkey="step-up">Button</button><p data-passkey-status></p>`;
          if (how === "closed") m.attach(root);
          globalThis.events = 0;
          document.addEventListener("passkey:success", () => events++);
          if (how === "Enter") root.querySelector("input").focus();
          if (how === "closed") root.querySelector("[type=button]").click();
        }""",
        how,
    )
    if how == "Enter":
        page.keyboard.press("Enter")
    elif how != "closed":
        page.get_by_role("button", name="Button" if how == "button" else "Form", exact=True).click()
    page.wait_for_function("() => root.querySelector('[data-passkey-status]').textContent === 'Done.'")
    assert page.evaluate("[events, asked.filter(({ method }) => method === 'get').length]") == [1, 1]


REACT = f"""
import {{ StrictMode, createElement as h, useEffect, useState }} from "react";
import {{ createRoot }} from "react-dom/client";
import {{ PasskeyClient }} from {str(MODULE)!r};
const client = new PasskeyClient();
globalThis.heard = [];
function SignIn({{ name }}) {{
  useEffect(() => {{
    const ending = new AbortController();
    client.autofill({{ signal: ending.signal, onSuccess: ({{ user }}) => heard.push(`${{name}} ${{user.name}}`) }});
    return () => ending.abort();
  }}, []);
  return h("input", {{ autoComplete: "username webauthn", "aria-label": name }});
}}
function App() {{
  const [shown, show] = useState("first");
  globalThis.show = show;
  return shown && h(SignIn, {{ name: shown, key: shown }});
}}
createRoot(document.querySelector("main")).render(h(StrictMode, null, h(App)));
"""


@pytest.mark.proves("browser:react")
def test_react_in_strict_mode(
    page: Page,
    serve: Callable[..., Site],
    authenticator: Authenticator,
    bundlers: Path,
    tmp_path: Path,
    watch: Watch,
) -> None:
    """A component that is mounted twice has autofill; when it is replaced the new one hears who signed in, once."""
    folder = tmp_path / "front"
    folder.mkdir()
    (folder / "main.js").write_text(REACT)
    (folder / "node_modules").symlink_to(bundlers / "node_modules")
    command = ["node_modules/.bin/esbuild", "main.js", "--bundle", "--outfile=out/main.js"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=120)
    site = serve(prepare=serve_folder(folder / "out"))
    page.goto(f"{site.url}/sign-up")
    page.evaluate("import('/passkey/static/passkey.js').then((m) => m.passkey.signUp({ name: 'ada' }))")
    authenticator.present(False)
    page.add_script_tag(url="/front/main.js")
    wait_for_autofill(page)
    authenticator.present(True)  # whoever asks from now on is answered at once
    page.evaluate("show('second')")
    page.wait_for_function("() => heard.length")
    assert page.evaluate("heard") == ["second ada"]
    watch.complaints[:] = [complaint for complaint in watch.complaints if "React DevTools" not in complaint]
