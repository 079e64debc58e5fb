"""What newcomers looked for in the documents and did not find is two clicks from the site's first page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_docs import FENCE, LINK, ROOT, anchors

DOCS = ROOT / "docs"
TOCTREE = re.compile(r"^```\{toctree\}\n(?:^:[^\n]*\n)*(.*?)^```$", re.MULTILINE | re.DOTALL)
CLICKS = 2
#: What was looked for, the page that has it, its heading, and words of the answer.
QUESTIONS = {
    "How do I add passkeys to an app that exists?": (
        "howto/existing-apps.md",
        "which-sessions",
        "PASSKEY_CEREMONY_STORE",
    ),
    "What can I import, and what does it take?": (
        "reference/python.md",
        "the-extension",
        "autoclass:: flask_passkey.Passkey",
    ),
    "Which routes are there, without passkey.js?": ("reference/routes.md", "", "@simplewebauthn/browser"),
    "Which attributes does the script know?": ("reference/attributes.md", "on-a-button-or-a-form", "data-passkey-next"),
    "Which signals are there, with which arguments?": ("reference/signals.md", "", "flask_passkey.signals.registered"),
    "Where is SignInRequired imported from?": (
        "reference/errors.md",
        "in-your-own-views",
        "from flask_passkey.errors import SignInRequired",
    ),
    "What if somebody loses their device?": ("howto/recovery.md", "recovery-codes", "passkey.recovery_codes"),
    "How are addresses confirmed by mail?": ("howto/sign-up.md", "confirming-an-address", "is_active"),
    "May an account have no password?": ("howto/existing-apps.md", "accounts-without-a-password", "NOT NULL"),
    "I have several models of users": ("howto/users.md", "what-an-id-may-be", "admin:1"),
    "Does it work with Flask-Login?": ("howto/remember-me.md", "remember-me", "PASSKEY_REMEMBER"),
    "With Flask-Security?": ("howto/flask-security.md", "", "webauthn = ()"),
    "With Flask-WTF?": ("howto/csrf.md", "", "CSRFProtect"),
    "With Flask-Talisman and Flask-Limiter?": ("howto/neighbours.md", "flask-talisman", "Flask-Limiter"),
    "With Flask-Migrate?": ("howto/migrations.md", "", "add_tables_to"),
    "How do I try it on a phone?": ("howto/https.md", "", "mkcert"),
    "Why not Flask-Security's own, or py_webauthn?": ("start/about.md", "which-one-should-i-take", "py_webauthn"),
}


def linked(page: Path) -> set[Path]:
    """Return the pages that a page links to, in its text and in its tables of contents."""
    text = page.read_text("utf-8")
    listed = [f"{line}.md" for tree in TOCTREE.findall(text) for line in tree.split() if "*" not in line]
    targets = listed + [target.partition("#")[0] for target in LINK.findall(FENCE.sub("", text))]
    return {file for target in targets if (file := (page.parent / target).resolve()).suffix == ".md" and file.exists()}


def reached(clicks: int) -> set[Path]:
    """Return the pages that are so many clicks from the first one, or fewer."""
    pages = {DOCS / "index.md"}
    for _ in range(clicks):
        pages |= {other for page in pages for other in linked(page)}
    return pages


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_is_two_clicks_away(question: str) -> None:
    """A page at most two clicks from the first answers the question, below a heading that can be linked."""
    name, heading, words = QUESTIONS[question]
    page = DOCS / name
    assert page in reached(CLICKS)
    assert words in page.read_text("utf-8")
    assert not heading or heading in anchors(page)


def test_every_page_is_two_clicks_away() -> None:
    """No page of the site is further from the first one; those beside the folders are listed by themselves."""
    assert {*DOCS.glob("*/*.md")} <= reached(CLICKS)
