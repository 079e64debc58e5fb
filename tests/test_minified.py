"""The minified modules: each is one file, which says and does what the readable ones do, and loads what comes later."""

from __future__ import annotations

import json
import re

import pytest
from minified import LATER, MODULES, STATIC
from scripts import run_script

from flask_passkey.web import files

#: The most bytes of each on the wire, compressed with Brotli; docs/reference/javascript.md says what takes them.
LIMITS = {"passkey-later": 1_600, "passkey-core": 4_000, "passkey-client": 6_000, "passkey": 8_000}
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
    """A minified module exports what the readable one does, and imports nothing before it is needed."""
    readable, minified = (run_script("return Object.keys(m);", module=f"{module}{end}.js") for end in ("", ".min"))
    assert minified == readable
    assert "import " not in (STATIC / f"{module}.min.js").read_text("utf-8").replace("import.meta", "")


@pytest.mark.parametrize("module", MODULES[1:])
def test_what_is_loaded_later_is_kept_for_good(module: str) -> None:
    """It is asked for by the address with its version, as pages ask for the rest."""
    script = (STATIC / f"{module}.min.js").read_text("utf-8")
    assert re.findall(r'import\("\./(.*?)"\)', script) == [f"{LATER}.min.js?v={files.version_of(f'{LATER}.min.js')}"]


@pytest.mark.parametrize("module", MODULES)
def test_maps_lead_to_the_sources(module: str) -> None:
    """Developers see the readable modules: each minified one names its map, and that names files of the same folder."""
    script = (STATIC / f"{module}.min.js").read_text("utf-8")
    assert script.endswith(f"\n//# sourceMappingURL={module}.min.js.map")
    sources = json.loads((STATIC / f"{module}.min.js.map").read_text("utf-8"))["sources"]
    imported = MODULES[1 : MODULES.index(module)]
    assert sources == [f"{name}.js" for name in (*imported, module)]
