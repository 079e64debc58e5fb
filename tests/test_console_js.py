"""What ``passkey.js`` tells a developer, in the browser's console."""

from __future__ import annotations

import pytest
from scripts import run_script

pytestmark = pytest.mark.proves("frictions:R")

TOLD = """
const told = [];
console.warn = (...words) => told.push(words.join(" "));
const envelope = { code: 403, msg: "This request is not allowed here.", data: null, ...given };
const fetch = async () => new Response(JSON.stringify(envelope), { status: 403 });
const error = await new m.PasskeyClient({ fetch }).list().catch((error) => error);
return [told, error.message.includes("PASSKEY_ORIGINS")];
"""
REASON = "Origin 'http://localhost:5001' is not in PASSKEY_ORIGINS."


@pytest.mark.parametrize(("given", "told"), [({"error": REASON}, [f"Flask-Passkey: {REASON}"]), ({}, [])])
def test_the_reason_is_in_the_console(given: dict[str, str], told: list[str]) -> None:
    """In debug the server says why; that is for the console, and never for the person in front of the page."""
    assert run_script(TOLD, given) == [told, False]
