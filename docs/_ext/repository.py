"""What of the site is elsewhere in the repository: links out of ``docs``, and the source of what autodoc shows.

Pages link to files beside ``docs`` by relative paths, which work on GitHub and in an editor. On the site they lead to
the repository, and to a page where the site has one.
"""

from __future__ import annotations

import configparser
import importlib
import inspect
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Files beside ``docs`` that the site has as pages, whose own text says where the file is.
PAGES = {"CHANGES.md": "changes", "SECURITY.md": "understanding/threat-model"}
FILES = {page: file for file, page in PAGES.items()}
LINK = re.compile(r"(\]\()((?!https?:|mailto:|#|/)[^)\s#]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"^(```|~~~).*?^\1`*$", re.MULTILINE | re.DOTALL)


def repository() -> str:
    """Return the address of the repository, from ``setup.cfg``."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup["metadata"]["url"]


def outwards(text: str, page: str) -> str:
    """Return a page with the links between ``docs`` and what is outside made absolute.

    :param page: its path in the repository.
    """
    folder = posixpath.dirname(page)

    def absolute(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if target.startswith("docs/"):
            return link[0] if page.startswith("docs/") else f"{link[1]}/{target[5:]}{link[3] or ''}{link[4]}"
        if target in PAGES:
            return f"{link[1]}/{PAGES[target]}.md{link[3] or ''}{link[4]}"
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{link[1]}{repository()}/{kind}/main/{target}{link[3] or ''}{link[4]}"

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(absolute, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(absolute, text[end:])])


def _where_installed() -> Path:
    """Return the folder of the package, which may be installed elsewhere than in the repository."""
    return Path(importlib.import_module("flask_passkey").__file__ or "").parent.parent


def source_of(domain: str, info: dict[str, str]) -> str | None:
    """Return the address of the lines of something in the reference."""
    if domain != "py" or not info["module"].startswith("flask_passkey"):
        return None
    found: Any = importlib.import_module(info["module"])
    try:
        for name in info["fullname"].split("."):
            found = getattr(found, name)
        found = inspect.unwrap(getattr(found, "fget", found))
        lines, first = inspect.getsourcelines(found)
        file = Path(inspect.getsourcefile(found) or "").relative_to(_where_installed()).as_posix()
    except (AttributeError, TypeError, OSError, ValueError):  # attributes have no source
        return None
    return f"{repository()}/blob/main/{file}#L{first}-L{first + len(lines) - 1}"


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""

    def rewrite(app: Any, name: str, source: list[str]) -> None:
        file = FILES.get(name)
        if file:
            source[0] = outwards((ROOT / file).read_text("utf-8"), file)
            app.env.note_dependency(ROOT / file)
        else:
            source[0] = outwards(source[0], f"docs/{name}.md")

    app.connect("source-read", rewrite)
    app.config.linkcode_resolve = source_of
    return {"parallel_read_safe": True}
