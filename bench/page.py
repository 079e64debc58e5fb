"""What a sign-in page costs a browser: requests, bytes, first paint and layout shift, cold and warm.

``PYTHONPATH=tests python bench/page.py ../before .`` compares trees of this repository. Each tree's apps run under
gunicorn, behind nginx on the tree's own configuration but for TLS, and Chromium has a connection like slow 4G.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import services
from playwright.sync_api import BrowserContext, sync_playwright

RUNS = 5
HERE = Path(__file__).parent
#: What gunicorn runs, and where the page is.
PAGES = {"the demo": ("demo:create_app()", "/sign-in"), "the ready page": ("ready:app", "/passkeys/sign-in")}
#: 150 ms, 1.6 Mbit/s down and 750 kbit/s up, as in Lighthouse.
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
#: The parts of a page's cost, and how many of each there were.
Cost = dict[str, float]
SEEN = """() => new Promise((resolve) => {
  let shift = 0;
  new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shift += value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve([performance.getEntriesByName("first-contentful-paint")[0].startTime, shift]), 300);
})"""
BUTTON = "form[data-passkey=authenticate]:not([hidden])"


@contextmanager
def serve(tree: Path, app: str, path: str) -> Iterator[str]:
    """Serve an app of a tree, and yield the address of its page."""
    inside, outside = services.free_port(), services.free_port()
    url = f"http://localhost:{outside}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx has another user
        write_nginx(tree, folder, inside, outside)
        settings = {"INSTANCE_PATH": name, "PASSKEY_ORIGINS": url, "RATELIMIT_ENABLED": "false", "TRUSTED_PROXIES": "1"}
        environment = {f"FLASK_{key}": value for key, value in settings.items()}
        command = [sys.executable, "-m", "gunicorn", "--threads=4", f"--bind=127.0.0.1:{inside}", app]
        environment = os.environ | environment | {"PYTHONPATH": f"{tree}{os.pathsep}{HERE}"}
        with subprocess.Popen(command, cwd=tree, env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                with services.nginx_server(folder, port=outside):
                    wait_for(url + path)
                    yield url + path
            finally:
                server.terminate()


def write_nginx(tree: Path, folder: Path, inside: int, outside: int) -> None:
    """Write the tree's configuration for one node and without TLS."""
    text = (tree / "deploy" / "nginx" / "passkeys.conf").read_text("utf-8")
    before, _, rest = text.partition("server {\n    listen 80")
    site = "server {\n" + rest.rpartition("\nserver {\n")[2].replace("listen 443 ssl;", f"listen 127.0.0.1:{outside};")
    site = re.sub(r"^    (ssl_|listen \[).*\n", "", site, flags=re.M)
    site = site.replace("server_name example.com", "server_name localhost").replace("Host $host;", "Host $http_host;")
    nodes = f"upstream passkeys {{ server 127.0.0.1:{inside}; }}\n"
    (folder / "site.conf").write_text(nodes + (before + site).replace("/var/log/nginx/", f"{folder}/"))


def wait_for(url: str) -> None:
    """Wait until an address is answered well."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def visit(context: BrowserContext, url: str) -> Cost:
    """Open the page as on a slow connection, and return what it cost."""
    page = context.new_page()
    devtools = page.context.new_cdp_session(page)
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", SLOW)
    page.goto(url, wait_until="load")
    page.wait_for_selector(BUTTON)
    usable: float = page.evaluate("performance.now()")
    paint, shift = page.evaluate(SEEN)
    page.close()
    sent = [size for size in sizes if size > 0]  # what comes out of the cache has no length
    return {"requests": len(sent), "kB": sum(sent) / 1000, "paint": paint, "usable": usable, "shift": shift}


def measure(tree: Path, what: str, start: Any) -> dict[str, Cost]:
    """Return the medians of what first and second visits to a tree's page cost."""
    costs: dict[str, list[Cost]] = {"cold": [], "warm": []}
    with serve(tree, *PAGES[what]) as url:
        for _ in range(RUNS):
            context = start.new_context()
            costs["cold"].append(visit(context, url))
            costs["warm"].append(visit(context, url))
            context.close()
    return {visit: {part: median(cost[part] for cost in found) for part in found[0]} for visit, found in costs.items()}


def main(trees: list[str]) -> None:
    """Print a table of the trees."""
    print("| page | tree | visit | requests | kB | first paint, ms | button, ms | layout shift |")
    print("|---|---|---|---|---|---|---|---|")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**services.chromium_options())
        for what, tree in product(PAGES, trees):
            for kind, cost in measure(Path(tree).resolve(), what, chromium).items():
                print(
                    f"| {what} | {tree} | {kind} | {cost['requests']:.0f} | {cost['kB']:.1f} | {cost['paint']:.0f} "
                    f"| {cost['usable']:.0f} | {cost['shift']:.4f} |",
                    flush=True,
                )
        chromium.close()


if __name__ == "__main__":
    main(sys.argv[1:] or ["."])
