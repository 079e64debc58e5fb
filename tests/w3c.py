"""W3C's test vectors for WebAuthn Level 3, which belong to W3C's document and are not copied here.

They are the section "Test Vectors" of https://www.w3.org/TR/webauthn-3/#sctn-test-vectors. ``PASSKEY_TEST_VECTORS``
names a file with them as JSON, each value as the hexadecimal text in the document:
``{"none-es256": {"registration": {"challenge": "00c3…", …}, "authentication": {…}}, …}``.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

needs_vectors = pytest.mark.skipif(
    not os.environ.get("PASSKEY_TEST_VECTORS"),
    reason="W3C's test vectors are not part of this repository; tests/w3c.py says where they come from",
)


@functools.cache
def vectors() -> dict[str, Any]:
    """Return everything in the file, by name."""
    everything: dict[str, Any] = json.loads(Path(os.environ["PASSKEY_TEST_VECTORS"]).read_text("utf-8"))
    return everything
