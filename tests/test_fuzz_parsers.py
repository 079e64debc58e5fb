"""Bytes of strangers are read or refused by every parser behind the JSON, and are never believed when they changed."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from fuzz_parsers import ParserFuzzer, tell

pytestmark = [pytest.mark.slow, pytest.mark.proves("threats:broken-bytes")]

#: How many bent requests ``test_fuzz.py`` sends; all parsers together get more than twice as many cases.
COUNT = int(os.environ.get("PASSKEY_TEST_FUZZ", "2000"))


def test_bent_bytes_are_read_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of inputs to each parser are read or refused, and some of each are read."""
    fuzzer = ParserFuzzer(int(os.environ.get("PASSKEY_TEST_SEED", random.randrange(1 << 32))), tmp_path)
    fuzzer.run(max(COUNT // 5, 200))
    with capsys.disabled():
        tell(fuzzer)
    for name in fuzzer.targets:
        found = {outcome.removeprefix(f"{name}: ") for outcome in fuzzer.outcomes if outcome.startswith(f"{name}: ")}
        assert "refused" in found, f"the fuzzer must reach a refusal of {name}"
        assert len(found) > 1 or name == "metadata", f"the fuzzer must get past the checks of {name}"
