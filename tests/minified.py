"""Makes the minified modules beside the readable ones: ``nox -s js``. They are committed, and a test compares them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha384
from pathlib import Path

STATIC = Path(__file__).parent.parent / "flask_passkey" / "static"
#: What is loaded later comes first, as its address in the others has its version.
LATER = "passkey-later"
#: From the second on, each imports those before it.
MODULES = (LATER, "passkey-core", "passkey-client", "passkey")
#: The packages from the npm registry; another version may write other bytes.
ESBUILD, TERSER = "esbuild@0.28.2", "terser@5.51.4"
TOOLS = {name: ("npx", "--yes", package) for name, package in (("esbuild", ESBUILD), ("terser", TERSER))}
#: The baseline of docs/reference/javascript.md: newer syntax would be written in older.
TARGET = "chrome94,edge94,firefox90,safari15"
#: One file of a module and what it imports; its sources are named in the map, and in the same folder.
BUNDLE = ["--bundle", "--minify", "--format=esm", f"--target={TARGET}", "--charset=utf8", "--log-level=warning"]
BUNDLE += [f"--external:./{LATER}.min.js*", "--sourcemap", "--sources-content=false"]
#: The same again, 3 % shorter.
SHORTEN = ["--module", "--ecma", "2020", "--compress", "passes=3,unsafe_arrows=true", "--mangle"]


def minify(folder: Path, tools: Mapping[str, Sequence[str]] = TOOLS) -> list[Path]:
    """Write each module of a folder with all that it imports into one file beside it, and a map of that.

    :param tools: the commands of esbuild and terser.
    :returns: the files.
    """
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        for module in MODULES:
            text = (folder / f"{module}.js").read_text("utf-8")
            (work / f"{module}.js").write_text(text.replace(f'"./{LATER}.js"', f'"{later_address(work)}"'), "utf-8")
            write_minified(work, module, tools)
        made = [work / f"{module}.min.js{end}" for module in MODULES for end in ("", ".map")]
        return [Path(shutil.copy(file, folder / file.name)) for file in made]


def later_address(folder: Path) -> str:
    """Return where the minified modules find what is loaded later: by its version, as ``files.url_of()`` says it."""
    file = folder / f"{LATER}.min.js"
    version = sha384(file.read_bytes()).hexdigest()[:16] if file.exists() else ""
    return f"./{file.name}?v={version}"


def write_minified(folder: Path, module: str, tools: Mapping[str, Sequence[str]]) -> None:
    """Write one module's file and map."""
    out = f"{module}.min.js"
    source_map = f"content='{out}.map',url='{out}.map'"
    for command in (
        [*tools["esbuild"], f"{module}.js", *BUNDLE, f"--outfile={out}"],
        [*tools["terser"], out, *SHORTEN, "--source-map", source_map, "--output", out],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=120)


if __name__ == "__main__":
    for file in minify(STATIC):
        print(file.name, file.stat().st_size, "bytes")
