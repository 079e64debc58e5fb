"""The shape of the house: who may import whom, and what is declared.

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
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "flask_passkey"

#: Every part of the package, lowest floor first. A part may import parts of lower floors only.
FLOORS = (
    ("advisories", "logs", "progress", "proxies", "words"),
    ("errors",),
    ("doubles", "encoding", "credentials", "names"),
    ("audit", "config"),
    ("ceremonies", "signals"),
    ("accounts", "pending", "providers", "trust"),
    ("contracts", "visitor"),
    ("holders",),
    ("freshness", "grants", "importers", "outcomes"),
    ("relying_party",),
    ("state",),
    ("databases", "web"),
    ("doctor", "openapi", "telemetry"),
    ("cli", "hooks", "wiring"),
    ("commands",),
    ("extension",),
    ("__init__",),
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}

#: The test kit plays the browser: it must not be able to share a mistake with the server.
TESTING = {"credentials", "errors"}

#: Which part may import which library; one that is not listed may be imported nowhere.
LIBRARIES = {
    "flask": {
        "cli",
        "commands",
        "databases",
        "doctor",
        "extension",
        "hooks",
        "pending",
        "proxies",
        "state",
        "telemetry",
        "web",
        "wiring",
    },
    "werkzeug": {"doctor", "web"},
    "markupsafe": {"extension", "web"},
    "click": {"cli"},
    "flask_session": {"pending"},
    "cachelib": {"pending"},
    "redis": {"pending"},
    "pymemcache": {"pending"},
    "pylibmc": {"pending"},
    "pymongo": {"pending"},
    "botocore": {"pending"},
    "sqlalchemy": {"credentials", "importers", "pending"},
    "alembic": {"databases"},
    "apispec": {"openapi"},
    "marshmallow": {"openapi", "web"},
    "webauthn": {"ceremonies"},
    "msgspec": {"ceremonies", "encoding", "outcomes", "visitor"},
    "cryptography": {"ceremonies", "testing", "trust"},
    "fido2": {"trust"},
    "blinker": {"relying_party", "signals"},
    "publicsuffixlist": {"config"},
    "flask_login": {"web"},
    "flask_security": {"web"},
    "flask_babel": {"web"},
    "opentelemetry": {"telemetry"},
    "babel": {"web"},
    "pytest": {"contracts", "testing"},
}
#: Imported only where the app uses it or has the extra, so not among the package's own requirements.
OPTIONAL = {
    "alembic",
    "apispec",
    "redis",
    "pymemcache",
    "pylibmc",
    "pymongo",
    "botocore",
    "babel",
    "fido2",
    "flask_babel",
    "flask_login",
    "flask_security",
    "opentelemetry",
    "pytest",
}

#: What an app may import besides the top level: to handle refusals, to listen, and to test.
PUBLIC = {"errors", "names", "signals", "testing", "contracts"}
#: How to look into what was raised by others.
TRACEBACKS = {"traceback", "__traceback__", "tb_frame", "tb_next", "exc_info", "extract_tb", "walk_tb"}

MODULES = sorted(PACKAGE.rglob("*.py"))
DEMO = sorted((ROOT / "demo").rglob("*.py"))
PARTS = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()}
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def name(path: Path) -> str:
    """Return the path below the repository."""
    return path.relative_to(ROOT).as_posix()


def dotted(module: Path) -> str:
    """Return the name by which a file of the package is imported."""
    return ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: Path) -> str:
    """Return the part of the package that a module is: its first folder, or its own name."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path, *, running: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and absolute dotted name of everything a file imports, wherever in the file.

    ``from . import errors`` is an import of ``flask_passkey.errors``.

    :param running: leave out what only type checkers see.
    """
    package = module.relative_to(ROOT).parent.parts
    tree = ast.parse(module.read_text("utf-8"))
    for node in running_nodes(tree) if running else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it but the bodies of ``if TYPE_CHECKING``."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        node = ast.Module(node.orelse, [])
    for child in ast.iter_child_nodes(node):
        yield from running_nodes(child)


def own_imports(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and part of every import of this package from inside it, parts of a part left out."""
    for line, target in imported(module):
        top, _, rest = target.partition(".")
        part = rest.partition(".")[0]
        if top == PACKAGE.name and part != part_of(module):
            yield line, part if part in PARTS else "__init__"


def modules_below(module: Path) -> set[str]:
    """Return the modules of this package that a module imports, by their dotted names."""
    names = {dotted(path) for path in MODULES}
    targets = {target for _, target in imported(module)}
    parents = {target.rpartition(".")[0] for target in targets - names}
    return (targets | parents) & names - {dotted(module)}


def libraries(module: Path) -> Iterator[tuple[int, str]]:
    """Yield line and top name of every import that is neither this package nor Python's own, nor for types only."""
    for line, target in imported(module, running=True):
        top = target.partition(".")[0]
        if top != PACKAGE.name and top not in sys.stdlib_module_names:
            yield line, top


def promises_in(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every test in a file."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def tricks(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every assignment to ``view_functions``, and of every look into a traceback."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="view_functions"), ctx=ast.Store()):
                yield node.lineno, ast.unparse(node)
            case ast.Attribute(attr=found) | ast.Name(id=found) | ast.alias(name=found) if found in TRACEBACKS:
                yield node.lineno, found


def normalized(distribution: str) -> str:
    """Spell a distribution's name as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared_requirements() -> set[str]:
    """Return the distributions in ``install_requires``."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split("\n")
    return {normalized(re.split(r"[\s<>=!~\[;]", line)[0]) for line in lines if line and not line.startswith("#")}


def test_imports_go_down() -> None:
    """A part of the package imports only parts on lower floors, for types too."""
    assert {part_of(module) for module in MODULES} <= {*FLOOR, "testing"}, "a part is new: give it a floor in FLOORS"
    up = []
    for module in MODULES:
        part = part_of(module)
        below = TESTING if part == "testing" else {other for other in FLOOR if FLOOR[other] < FLOOR[part]}
        up += [f"{name(module)}:{line} imports {other}" for line, other in own_imports(module) if other not in below]
    assert not up


def test_imports_have_no_circle() -> None:
    """No module imports itself through others, inside a part either."""
    try:
        TopologicalSorter({dotted(module): modules_below(module) for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_libraries_stay_in_their_rooms() -> None:
    """A library is imported only by the parts that the table names, so that it can be replaced there."""
    found = [(module, line, top) for module in MODULES for line, top in libraries(module)]
    allowed = [(module, line, top) for module, line, top in found if part_of(module) in LIBRARIES.get(top, ())]
    astray = [
        f"{name(module)}:{line} imports {top}" for module, line, top in found if (module, line, top) not in allowed
    ]
    assert not astray


def test_every_library_is_declared() -> None:
    """What the package imports stands in install_requires, not only in what its requirements require."""
    distributions = importlib.metadata.packages_distributions()
    needed = {top for module in MODULES for _, top in libraries(module)} - OPTIONAL
    undeclared = {top for top in needed if not declared_requirements() & set(map(normalized, distributions[top]))}
    assert not undeclared


def test_demo_uses_the_public_package() -> None:
    """The demo imports from the package only what any app may."""
    found = [(file, line, target.split(".")) for file in DEMO for line, target in imported(file)]
    inner = [(file, line, parts[1]) for file, line, parts in found if parts[0] == PACKAGE.name and parts[1] in PARTS]
    private = [f"{name(file)}:{line} imports {part}" for file, line, part in inner if part not in PUBLIC]
    assert not private


def test_demo_uses_no_tricks() -> None:
    """The demo replaces no view of ours and reads no traceback: what it shows, an app can copy."""
    assert not [f"{name(file)}:{line} {text}" for file in DEMO for line, text in tricks(file)]


def test_top_level_only_exports() -> None:
    """``__init__`` has imports, some when asked for, the version as a plain literal, and ``__all__``, sorted."""
    _, *rest = ast.parse((PACKAGE / "__init__.py").read_text("utf-8")).body
    (lazy,) = (node for node in rest if isinstance(node, ast.If))
    rest.remove(lazy)
    assert [node.name for node in lazy.orelse if isinstance(node, ast.FunctionDef)] == ["__getattr__"]
    rest += lazy.body
    assigned = {ast.unparse(node.targets[0]): node.value for node in rest if isinstance(node, ast.Assign)}
    assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) for node in rest)
    assert set(assigned) == {"__all__", "__version__"}
    assert isinstance(ast.literal_eval(assigned["__version__"]), str)
    exported = ast.literal_eval(assigned["__all__"])
    assert list(exported) == sorted(exported)


def test_every_test_says_what_it_promises() -> None:
    """Every test has a docstring: the promise it holds."""
    found = [(file, test) for file in TEST_FILES for test in promises_in(file)]
    assert not [f"{name(file)}:{test.lineno} {test.name}" for file, test in found if not ast.get_docstring(test)]


def test_test_files_have_different_names() -> None:
    """Pytest imports test files by their bare name, as the folders are no packages."""
    names = [file.name for file in TEST_FILES]
    assert sorted(set(names)) == sorted(names)
    assert not list((ROOT / "tests").rglob("__init__.py"))
