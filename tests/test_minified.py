"""The minified modules: each is one file, which says and does what the readable ones do."""

from __future__ import annotations

import json

import pytest
from minified import MODULES, STATIC
from scripts import run_script

#: The most bytes of each on the wire, compressed with Brotli; docs/reference/javascript.md says what takes them.
LIMITS = {"passkey-core": 7_200, "passkey": 9_500}
COMPRESS = """
const { brotliCompressSync } = await import("node:zlib");
const { readFile } = await import("node:fs/promises");
return brotliCompressSync(await readFile(new URL(given))).length;
"""


@pytest.mark.proves("browser:rule-1")
@pytest.mark.parametrize("module", MODULES)
def test_sizes(module: str) -> None:
    """What a page loads is small."""
    assert run_script(COMPRESS, (STATIC / f"{module}.min.js").as_uri()) <= LIMITS[module]


@pytest.mark.parametrize("module", MODULES)
def test_one_file_has_it_all(module: str) -> None:
    """A minified module exports what the readable one does, and imports nothing."""
    readable, minified = (run_script("return Object.keys(m);", module=f"{module}{end}.js") for end in ("", ".min"))
    assert minified == readable
    assert "import " not in (STATIC / f"{module}.min.js").read_text("utf-8").replace("import.meta", "")


@pytest.mark.parametrize("module", MODULES)
def test_maps_lead_to_the_sources(module: str) -> None:
    """Developers see the readable modules: each minified one names its map, and that names files of the same folder."""
    script = (STATIC / f"{module}.min.js").read_text("utf-8")
    assert script.endswith(f"\n//# sourceMappingURL={module}.min.js.map\n")
    sources = json.loads((STATIC / f"{module}.min.js.map").read_text("utf-8"))["sources"]
    assert sources == [f"{name}.js" for name in MODULES[: MODULES.index(module) + 1]]
