"""Makes the minified modules beside the readable ones: ``nox -s js``. They are committed, and a test compares them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

STATIC = Path(__file__).parent.parent / "flask_passkey" / "static"
MODULES = ("passkey-core", "passkey")
#: The package from the npm registry; another version may write other bytes.
ESBUILD = "esbuild@0.28.2"
#: The baseline of docs/reference/javascript.md: newer syntax would be written in older.
TARGET = "chrome94,edge94,firefox90,safari15"


def minify(folder: Path, esbuild: Sequence[str] = ("npx", "--yes", ESBUILD)) -> list[Path]:
    """Write each module of a folder with all that it imports into one file beside it, and a map of that.

    :param esbuild: the command.
    :returns: the files.
    """
    options = ["--bundle", "--minify", "--format=esm", f"--target={TARGET}", "--charset=utf8", "--log-level=warning"]
    options += ["--sourcemap", "--sources-content=false"]  # the sources are in the same folder
    made = []
    for module in MODULES:
        out = folder / f"{module}.min.js"
        command = [*esbuild, f"{module}.js", *options, f"--outfile={out.name}"]
        subprocess.run(command, cwd=folder, check=True, timeout=120)
        made += [out, out.with_name(f"{out.name}.map")]
    return made


if __name__ == "__main__":
    for file in minify(STATIC):
        print(file.name, file.stat().st_size, "bytes")
