"""The minified modules that are committed are those of the readable ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from minified import MODULES, STATIC, TOOLS, minify


def test_minified_modules_are_up_to_date(npm: Path, tmp_path: Path) -> None:
    """Minified anew, the modules are the committed ones, byte for byte; if they are not, run ``nox -s js``."""
    for module in MODULES:
        shutil.copy(STATIC / f"{module}.js", tmp_path)
    commands = npm / "node_modules" / ".bin"
    for file in minify(tmp_path, {name: [str(commands / name)] for name in TOOLS}):
        assert (STATIC / file.name).read_bytes() == file.read_bytes()
