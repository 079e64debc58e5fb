"""Leave each of our own checks out, one at a time, and see that a test fails: ``python tests/mutants.py [FILE...]``.

Left out are: each ``raise``, each call that is made only for what it checks or does, each part of an ``and`` or ``or``
and of a joined key, each condition of a value, and each argument of the library's verifying functions. The table of
``docs/proof/specification.md`` says in which functions how many survive, and why no test can tell; more fail the run.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "flask_passkey"
FILES = (
    "ceremonies/**/*.py",
    "pending/ceremonies.py",
    "freshness.py",
    "grants.py",
    "holders.py",
    "names.py",
    "relying_party/*.py",
    "web/http.py",
    "web/others.py",
    "web/views.py",
)
#: The quick tests: those of the ceremonies, which can see nothing of other files, and those of whole apps.
PURE = (
    "authentication registration policies keys encoding pending certificates paths statements der vectors responses "
    "cbor authenticator_data person hints"
)
APPS = (
    "names views relying_party pending_ceremonies accounts approval sessions attestation step_up decoys providers "
    "extension cli hooks_and_signals offer freshness signing_out signed_in_already handles first_passkey "
    "deleted_accounts grants others places schemas own_views rest_extensions extensions user_verified sign_up_fields "
    "rp_ids relying_parties former_holders methods frames progress remember ended missing_hooks wrong_address "
    "passwords_by_script audit borders many_passkeys"
)
PRELOADED = ("flask", "flask_login", "flask_session", "webauthn", "sqlalchemy", "marshmallow", "cbor2")
SECONDS = 600


@dataclass(frozen=True)
class Mutant:
    """One file with one thing left out."""

    file: str
    function: str
    line: int
    left_out: str
    source: bytes


def left_out(tree: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str, str]]:
    """Yield what can be left out of a file: the node to replace, by what, and how to call it."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise() | ast.Expr(ast.Call()) if not ast.unparse(node).startswith("log."):
                yield node, "pass", ast.unparse(node)
            case ast.IfExp():
                yield node, ast.unparse(node.body), f"{ast.unparse(node.test)} in {ast.unparse(node)}"
            case ast.BoolOp(_, parts) | ast.Call(ast.Attribute(attr="join"), [ast.Tuple(parts)]):
                yield from (each(node, parts, part, ast.unparse(part)) for part in list(parts))
            case ast.Call(ast.Name(name), _, keywords) if name.startswith("verify_"):
                yield from (each(node, keywords, keyword, str(keyword.arg)) for keyword in list(keywords))


def each(node: ast.expr, parts: list[Any], part: Any, name: str) -> tuple[ast.expr, str, str]:
    """Write a node without one of its parts."""
    whole, at = ast.unparse(node), parts.index(part)
    parts.remove(part)
    rest = f"({ast.unparse(node)})"
    parts.insert(at, part)
    return node, rest, f"{name} in {whole if len(whole) < 100 else whole[:100] + '…'}"


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield the mutants of one file."""
    source = path.read_bytes()
    starts = [0, *(match.end() for match in re.finditer(b"\n", source))]
    tree = ast.parse(source)
    for node, replacement, name in left_out(tree):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        changed = source[:begin] + replacement.encode() + source[end:]
        yield Mutant(path.relative_to(PACKAGE).as_posix(), function_at(tree, node.lineno), node.lineno, name, changed)


def function_at(tree: ast.AST, line: int) -> str:
    """Return the name of the innermost function around a line, or nothing."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or 0)]
    return max(around, key=lambda node: node.lineno).name if around else ""


def finder(mutant: Mutant) -> Any:
    """Return what has one module of the package imported from other source than its file's."""
    file, module = str(PACKAGE / mutant.file), "flask_passkey." + mutant.file.removesuffix(".py").replace("/", ".")
    code = compile(mutant.source, file, "exec")
    loader = type("Loader", (SourceFileLoader,), {"get_code": lambda *_: code})(module, file)
    spec = importlib.util.spec_from_file_location(module, file, loader=loader)
    return SimpleNamespace(find_spec=lambda name, *_: spec if name == module else None)


def start(mutant: Mutant | None, names: Sequence[str]) -> int:
    """Run test files in another process and return its id; it ends with 0 if all pass, or with a file's number."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(SECONDS)
    if mutant:
        sys.meta_path.insert(0, finder(mutant))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
    os._exit(run(names))


def named(mutant: Mutant | None, noticed: Mapping[str, int]) -> list[str]:
    """Return the test files for a mutant: in front those that noticed others of its file, or are called like it."""
    names = APPS if mutant and not mutant.file.startswith("ceremonies/") else f"{PURE} {APPS}"
    return sorted(names.split(), key=lambda name: (-noticed.get(name, 0), mutant is None or name not in mutant.file))


def run(names: Sequence[str]) -> int:
    """Run test files, those that there are, one after the other; return the number of the first that fails, from 1."""
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "not services"]
    for number, name in enumerate(names, 1):
        file = ROOT / "tests" / f"test_{name}.py"
        if file.exists() and pytest.main([*options, str(file)]) not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            return number
    return 0


def survivors(made: Sequence[Mutant]) -> list[Mutant]:
    """Run all mutants, one for each processor at a time; return those that no test notices, or not in time."""
    running: dict[int, tuple[Mutant, list[str]]] = {}
    noticed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    alive, todo = [], list(reversed(made))
    while todo or running:
        while todo and len(running) < (os.cpu_count() or 1):
            mutant = todo.pop()
            names = named(mutant, noticed[mutant.file])
            running[start(mutant, names)] = mutant, names
        pid, status = os.wait()
        mutant, names = running.pop(pid)
        killer = os.waitstatus_to_exitcode(status)  # negative if the time was up
        if killer > 0:
            noticed[mutant.file][names[killer - 1]] += 1
        print("killed  " if killer > 0 else "SURVIVED", f"{mutant.file}:{mutant.line}: {mutant.left_out}", flush=True)
        alive += [] if killer > 0 else [mutant]
    return alive


def main(patterns: Sequence[str]) -> int:
    """Run and report; return 1 if anything survives that the document does not explain."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for module in PRELOADED:
        importlib.import_module(module)
    settings.register_profile(
        "mutants", deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
    )
    settings.load_profile("mutants")
    os.chdir(ROOT)
    assert os.waitpid(start(None, named(None, {})), 0)[1] == 0, "a test fails without any mutant"
    made = [mutant for pattern in patterns for path in sorted(PACKAGE.glob(pattern)) for mutant in mutants(path)]
    alive = survivors(made)
    unchanged = os.waitpid(start(None, named(None, {})), 0)[1] == 0
    assert unchanged, "a test fails without any mutant: the files have changed meanwhile"
    document = (ROOT / "docs" / "proof" / "specification.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w/]+\.py)` \| `(\w+)` \| (\d+) \| .+ \|$", document, re.MULTILINE)
    explained = Counter({(file, function): int(number) for file, function, number in rows})
    unexplained = dict(Counter((mutant.file, mutant.function) for mutant in alive) - explained)
    print(f"{len(made)} made, {len(made) - len(alive)} killed, {len(alive)} survived; not explained: {unexplained}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FILES))
