"""Bytes an attacker chose never end in a 5xx, always in the envelope, and are never believed when they changed."""

from __future__ import annotations

import logging
import os
import random
from collections import Counter

import pytest
from fuzz import Fuzzer

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:broken-bytes")]

COUNT = int(os.environ.get("PASSKEY_TEST_FUZZ", "2000"))
#: Requests to one app, whose accounts gather passkeys and make all that follows slower.
ROUND = 5000


def test_bent_requests_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of requests with something wrong each get an envelope below 500."""
    seed = int(os.environ.get("PASSKEY_TEST_SEED", random.randrange(1 << 32)))
    codes = Counter[tuple[int, int]]()
    logging.disable()
    try:
        for done in range(0, COUNT, ROUND):
            fuzzer = Fuzzer(seed + done)
            fuzzer.run(min(ROUND, COUNT - done))
            codes += fuzzer.codes
    finally:
        logging.disable(logging.NOTSET)
    by_status = {status: sum(n for (s, _), n in codes.items() if s == status) for status, _ in codes}
    with capsys.disabled():
        print(f"\n{COUNT} bent requests (seed {seed}), by status: {dict(sorted(by_status.items()))}")
    assert {200, 400, 401, 403, 404} <= set(by_status), "the fuzzer must reach success and every kind of refusal"
