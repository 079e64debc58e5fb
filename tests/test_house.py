"""The shape of the house: who may import whom, how long a file and a function may be, what is declared.

A test that fails here asks for a decision, not for a bigger number: move the code to the room it belongs in, or
change the table in the same commit and say why.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "flask_passkey"

#: Every part of the package, lowest floor first. A part may import parts of lower floors only.
FLOORS = (
    ("logs",),
    ("errors",),
    ("encoding", "credentials", "names"),
    ("audit", "config"),
    ("ceremonies", "signals"),
    ("accounts", "pending", "providers", "trust"),
    ("contracts", "visitor"),
    ("outcomes",),
    ("relying_party",),
    ("state",),
    ("web",),
    ("cli",),
    ("extension",),
    ("__init__",),
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}

#: The test kit plays the browser: it must not be able to share a mistake with the server.
TESTING = {"credentials", "errors"}

#: Which part may import which library; one that is not listed may be imported nowhere.
LIBRARIES = {
    "flask": {"extension", "web", "cli", "pending", "state"},
    "werkzeug": {"web"},
    "click": {"cli"},
    "flask_session": {"pending"},
    "cachelib": {"pending"},
    "redis": {"pending"},
    "pymemcache": {"pending"},
    "pylibmc": {"pending"},
    "pymongo": {"pending"},
    "botocore": {"pending"},
    "sqlalchemy": {"credentials", "pending"},
    "marshmallow": {"web"},
    "webauthn": {"ceremonies"},
    "cryptography": {"ceremonies", "testing", "trust"},
    "fido2": {"trust"},
    "blinker": {"relying_party", "signals"},
    "flask_login": {"web"},
    "pytest": {"contracts"},
}
#: Imported only where the app uses it or has the extra, so not among the package's own requirements.
OPTIONAL = {"redis", "pymemcache", "pylibmc", "pymongo", "botocore", "fido2", "flask_login", "pytest"}

#: What an app may import besides the top level: to handle refusals, to listen, and to read its own forms.
PUBLIC = {"errors", "names", "signals"}

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 35

MODULES = sorted(PACKAGE.rglob("*.py"))
FILES = MODULES + sorted((ROOT / "demo").rglob("*.py"))
PARTS = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def name(path: Path) -> str:
    """Return the path below the repository, for a test's id."""
    return path.relative_to(ROOT).as_posix()


def part_of(module: Path) -> str:
    """Return the part of the package that a module is: its first folder, or its own name."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and absolute dotted name of everything a module imports when it runs, wherever in the file.

    ``from . import errors`` is an import of ``flask_passkey.errors``. What only type checkers see does not count.
    """
    package = module.relative_to(ROOT).parent.parts
    for node in running(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it but the bodies of ``if TYPE_CHECKING``."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        node = ast.Module(node.orelse, [])
    for child in ast.iter_child_nodes(node):
        yield from running(child)


def own_imports(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and part of every import of this package from inside it, parts of a part left out."""
    for line, dotted in imported(module):
        top, _, rest = dotted.partition(".")
        part = rest.partition(".")[0]
        if top == PACKAGE.name and part != part_of(module):
            yield line, part if part in PARTS else "__init__"


def libraries(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and top name of every import that is neither this package nor Python's own."""
    for line, dotted in imported(module):
        top = dotted.partition(".")[0]
        if top != PACKAGE.name and top not in sys.stdlib_module_names:
            yield line, top


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method in a file."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def documentation(tree: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    """Return the numbers of the lines that a file's or function's docstrings take, those of attributes included."""
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    return {line for text in texts for line in range(text.lineno, (text.end_lineno or 0) + 1)}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without decorators and docstring."""
    return (function.end_lineno or 0) - function.lineno + 1 - len(documentation(function))


def normalized(distribution: str) -> str:
    """Spell a distribution's name as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared_requirements() -> set[str]:
    """Return the distributions in ``install_requires``."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split("\n")
    return {normalized(re.split(r"[\s<>=!~\[;]", line)[0]) for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_imports_go_down(module: Path) -> None:
    """A part of the package imports only parts on lower floors."""
    part = part_of(module)
    assert part in FLOOR or part == "testing", f"{part} is new: give it a floor in FLOORS"
    below = TESTING if part == "testing" else {other for other in FLOOR if FLOOR[other] < FLOOR[part]}
    up = [f"line {line}: {part} imports {other}" for line, other in own_imports(module) if other not in below]
    assert not up


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_libraries_stay_in_their_rooms(module: Path) -> None:
    """A library is imported only by the parts that the table names, so that it can be replaced there."""
    part = part_of(module)
    astray = [f"line {n}: {part} imports {top}" for n, top in libraries(module) if part not in LIBRARIES.get(top, ())]
    assert not astray


def test_every_library_is_declared() -> None:
    """What the package imports stands in install_requires, not only in what its requirements require."""
    distributions = importlib.metadata.packages_distributions()
    needed = {top for module in MODULES for _, top in libraries(module)} - OPTIONAL
    undeclared = {top for top in needed if not declared_requirements() & set(map(normalized, distributions[top]))}
    assert not undeclared


def test_demo_uses_the_public_package() -> None:
    """The demo imports from the package only what any app may."""
    dotted = {name for file in FILES if file not in MODULES for _, name in imported(file)}
    inner = {name for name in dotted if name.startswith("flask_passkey.") and name.split(".")[1] in FLOOR}
    assert not {name for name in inner if name.split(".")[1] not in PUBLIC}


@pytest.mark.parametrize("file", FILES, ids=name)
def test_files_are_short(file: Path) -> None:
    """A file is one thing, and can be read in one go; its docstrings do not count."""
    text = file.read_text("utf-8")
    lines = len(text.splitlines()) - len(documentation(ast.parse(text)))
    assert lines <= MOST_LINES_OF_A_FILE


@pytest.mark.parametrize("file", FILES, ids=name)
def test_functions_are_short(file: Path) -> None:
    """A function does one thing; most have about 10 lines."""
    long = [f"{f.name}: {length(f)} lines" for f in functions(file) if length(f) > MOST_LINES_OF_A_FUNCTION]
    assert not long


def test_top_level_only_exports() -> None:
    """``__init__`` has imports, the version as a plain literal, and ``__all__``, sorted; nothing else."""
    _, *rest = ast.parse((PACKAGE / "__init__.py").read_text("utf-8")).body
    assigned = {ast.unparse(node.targets[0]): node.value for node in rest if isinstance(node, ast.Assign)}
    assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) for node in rest)
    assert set(assigned) == {"__all__", "__version__"}
    assert isinstance(ast.literal_eval(assigned["__version__"]), str)
    exported = ast.literal_eval(assigned["__all__"])
    assert list(exported) == sorted(exported)


@pytest.mark.parametrize("file", TEST_FILES, ids=name)
def test_every_test_says_what_it_promises(file: Path) -> None:
    """Every test has a docstring: the promise it holds."""
    silent = [f.name for f in functions(file) if f.name.startswith("test_") and not ast.get_docstring(f)]
    assert not silent


def test_test_files_have_different_names() -> None:
    """Pytest imports test files by their bare name, as the folders are no packages."""
    names = [file.name for file in TEST_FILES]
    assert sorted(set(names)) == sorted(names)
    assert not list((ROOT / "tests").rglob("__init__.py"))
