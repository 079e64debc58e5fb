"""How Sphinx builds the site from these pages: ``nox -s docs``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import flask_passkey  # noqa: E402

project = "Flask-Passkey"
author = copyright = "Flask-Passkey contributors"
release = flask_passkey.__version__
version = ".".join(release.split(".")[:2])

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "myst_parser",
    "pallets_sphinx_themes",
    "repository",
]
exclude_patterns = ["_build", "_ext"]

# As GitHub makes them, so that a link works there and here.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
# Domains of the theme's, for other projects.
suppress_warnings = ["myst.domains"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True

html_theme = "flask"
html_title = f"Flask-Passkey {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
# No advertisements, and nothing that asks another site for versions.
html_sidebars = {
    "index": ["project.html", "searchbox.html"],
    "**": ["localtoc.html", "relations.html", "searchbox.html"],
}
html_theme_options = {"index_sidebar_logo": False}
version_banner = False

# Checked by `nox -s links` only: the pages of other sites come and go.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
linkcheck_ignore = [
    # This repository, before it is public; tests look whether the files are there.
    r"https://github\.com/flask-passkey/flask-passkey.*",
    # Examples.
    r"https?://(localhost|.*\.example|([a-z.]+\.)?example\.(com|org))(:\d+)?(/.*)?$",
]
linkcheck_timeout = 20
linkcheck_retries = 2
