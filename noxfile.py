"""Everything that is checked, on every Python that is here: ``pip install 'nox[uv]' && nox``."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile

import nox

nox.needs_version = ">=2025.10.16"
nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
# A Python that is not here is skipped; .ci/run names the one that must be.
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "docs", "tests", "lowest", "browser", "demo"]

#: Each process starts servers for itself, so not as many as there are processors.
TWO_AT_ONCE = ["-n", "2"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
DEMO_IS_UP_WITHIN = 60  # seconds

# pyenv's shims hide all versions but the chosen one: look behind them, after everything else.
for folder in sorted(pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.*/bin")):
    os.environ["PATH"] += os.pathsep + str(folder)
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff."""
    session.install("ruff==0.17.6")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of package, demo, docs and tests with mypy --strict."""
    session.install("mypy==2.4.1", "types-PyYAML", "nox", "-e", ".[test]")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests but the browser's, with the newest dependencies, on the package as people install it."""
    _install(session, ".[test]")
    session.run("pytest", *TWO_AT_ONCE, "-m", "not browser", *session.posargs)


@nox.session(python=PYTHONS, venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the same with the oldest dependencies that setup.cfg allows."""
    _install(session, "--resolution", "lowest-direct", ".[test]")
    session.run("pytest", *TWO_AT_ONCE, "-m", "not browser", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Run the tests that drive the demo in Chromium and Firefox."""
    _install(session, ".[test]")
    session.run("pytest", *TWO_AT_ONCE, "-m", "browser", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site from docs/ into build/docs; a warning is an error, and a link inside that leads nowhere is one."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "dirhtml", "docs", "build/docs", *session.posargs)


@nox.session
def links(session: nox.Session) -> None:
    """Look whether the links to other sites lead somewhere: not a part of CI, as those sites come and go."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-b", "linkcheck", "docs", "build/links", *session.posargs)


@nox.session
def translations(session: nox.Session) -> None:
    """Bring the catalogs of package and demo up to date; what is then empty or fuzzy is for a person."""
    _install(session, ".[demo]")
    options = ["--omit-header", "--no-wrap", "--add-location=file", "--sort-by-file"]
    stable = ["--no-wrap", "--ignore-obsolete", "--ignore-pot-creation-date"]
    for package, domain, keyword in (("flask_passkey", "flask_passkey", "N_"), ("demo", "messages", "lazy_gettext")):
        folder, template, mark = "translations", f"translations/{domain}.pot", f"--keyword={keyword}"
        with session.chdir(package):
            session.run("pybabel", "extract", "-F", f"{folder}/babel.cfg", mark, *options, "-o", template, ".")
            session.run("pybabel", "update", "-D", domain, "-i", template, "-d", folder, *stable)
            session.run("pybabel", "compile", "-D", domain, "-d", folder)


@nox.session
def js(session: nox.Session) -> None:
    """Minify the modules for browsers, with esbuild and terser from the npm registry; the files are committed."""
    session.run("python", "tests/minified.py")


@nox.session
def pictures(session: nox.Session) -> None:
    """Take the pictures in docs/pictures of the demo, in Chromium; at most 300 kB together."""
    _install(session, ".[test]", "pillow")
    session.run("python", "docs/take_pictures.py", env={"PYTHONPATH": f"tests{os.pathsep}."})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Send 100,000 bent requests to every route, 20,000 to each parser behind them, and kill a worker 1,000 times."""
    _install(session, ".[test]")
    files = ("tests/test_fuzz.py", "tests/test_fuzz_parsers.py")
    session.run("pytest", "-s", *files, *session.posargs, env={"PASSKEY_TEST_FUZZ": "100000"})
    session.run("pytest", "-s", "tests/test_kill.py", *session.posargs, env={"PASSKEY_TEST_KILLS": "1000"})


@nox.session
def race(session: nox.Session) -> None:
    """Let 16 threads in two processes race for 200 records in every store, and lose none of 1,000."""
    _install(session, ".[test]")
    chosen = ("tests/test_stores.py", "-k", "one_of_many or none_is_lost")
    session.run("pytest", "-rA", *chosen, *session.posargs, env={"PASSKEY_TEST_RACE": "200"})


@nox.session
def mutants(session: nox.Session) -> None:
    """Leave each check out once, and see that a test fails."""
    _install(session, "-e", ".[test]")
    session.run("python", "tests/mutants.py", *session.posargs)


@nox.session
def nodes(session: nox.Session) -> None:
    """Race for 200 ceremonies on two nodes behind nginx, and kill and restart the nodes many times."""
    _install(session, ".[test]")
    session.run("pytest", "-s", "tests/test_two_nodes.py", *session.posargs, env={"PASSKEY_TEST_NODES": "200"})


@nox.session
def footprint(session: nox.Session) -> None:
    """Measure what a sign-in costs each part of two nodes, and how much room accounts and ceremonies take."""
    _install(session, ".[test]")
    session.run("python", "bench/footprint.py", *session.posargs, env={"PYTHONPATH": "."})


@nox.session(python=["3.11", "3.12", "3.13"])
def coverage_fuzz(session: nox.Session) -> None:
    """Let atheris look for a response that the finish functions stumble over, for ten minutes."""
    _install(session, ".[test]", "atheris")
    session.run("python", "tests/fuzz_finish.py", *(session.posargs or ["-max_total_time=600"]))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what begins and finishes cost beside what others do: tables for docs/proof/benchmarks.md, no test."""
    _install(session, ".[test]")
    others = {
        "security": ["flask-security[fsqla,mfa,common]"],
        "django": ["django~=5.2.0", "django-otp-webauthn", "django-allauth[mfa]"],
    }
    options = []
    for name, packages in others.items():
        folder = pathlib.Path(session.create_tmp()) / name
        session.run("python", "-m", "venv", str(folder), silent=True)
        session.run(str(folder / "bin" / "pip"), "install", "-q", ".", "redis", *packages, external=True)
        options += [f"--{name}", str(folder / "bin" / "python")]
    session.run("python", "bench/run.py", *options, *session.posargs)


@nox.session(reuse_venv=False)
def demo(session: nox.Session) -> None:
    """Install the wheel beside another package ``demo``, and start ours from the source distribution in both ways."""
    folder = pathlib.Path(session.create_tmp()).resolve()
    shutil.rmtree("build", ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(folder), silent=True)  # the wheel is built from the sdist
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    session.install(f"{wheel}[demo]")
    packages = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packages == {"flask_passkey"}, packages
    app = folder / "app"
    (app / "demo").mkdir(parents=True)
    (app / "demo" / "__init__.py").write_text("from flask_passkey import Passkey\nIS_OURS = False\n")
    session.chdir(app)
    session.run("python", "-c", "import demo; assert not demo.IS_OURS")
    shutil.unpack_archive(sdist, folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    port = _free_port()
    _begin_sign_in(session, unpacked, port, "flask", "--app", "demo", "run", "--port", port)
    _begin_sign_in(session, unpacked, port, "gunicorn", "--bind", f"127.0.0.1:{port}", "demo:create_app()")


@nox.session(reuse_venv=False)
def release(session: nox.Session) -> None:
    """Build a release into dist/ and look at it as a package index does; `nox -s release -- 0.1.0` tags it, too."""
    for version in session.posargs:
        _check_release(session, version)
    for folder in ("build", "dist"):
        shutil.rmtree(folder, ignore_errors=True)
    session.install("build==1.6.1", "twine==7.0.0", "check-wheel-contents==0.6.3", "pyroma==5.0.1")
    session.run("python", "-m", "build", silent=True)
    (wheel,), (sdist,) = pathlib.Path("dist").glob("*.whl"), pathlib.Path("dist").glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(sdist))  # renders the README as the index does
    session.run("check-wheel-contents", str(wheel))
    session.run("pyroma", "--min=8", str(sdist))  # of 10; it wants an address of the authors', who have none in common
    for version in session.posargs:
        session.run("git", "tag", "--annotate", version, f"--message=Release {version}", external=True)


def _check_release(session: nox.Session, version: str) -> None:
    """Refuse to tag what is not committed, has another version, or is not dated in CHANGES.md."""
    if session.run("git", "status", "--porcelain", external=True, silent=True):
        session.error("There are changes that are not committed.")
    if f'__version__ = "{version}"' not in pathlib.Path("flask_passkey/__init__.py").read_text("utf-8"):
        session.error(f'flask_passkey/__init__.py does not say __version__ = "{version}".')
    if f"\n## [{version}] - 2" not in pathlib.Path("CHANGES.md").read_text("utf-8"):
        session.error(f"CHANGES.md has no heading ## [{version}] - with a date.")


def _install(session: nox.Session, *arguments: str) -> None:
    """Install the package from this folder, without the files that an earlier build left here."""
    shutil.rmtree("build", ignore_errors=True)
    session.install(*arguments)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _begin_sign_in(session: nox.Session, folder: pathlib.Path, port: str, program: str, *arguments: str) -> None:
    """Start a server of the demo in a folder, begin a sign-in and stop the server."""
    path = shutil.which(program, path=os.pathsep.join(session.bin_paths or []))
    assert path, f"the extra demo does not install {program}"
    home = os.environ | {"HOME": str(folder)}
    with subprocess.Popen([path, *arguments], cwd=folder, env=home) as server:
        try:
            session.log("%s answers %s", program, _answer(f"http://127.0.0.1:{port}/session/authn", server))
            german = urllib.request.Request(f"http://localhost:{port}/sign-in", headers={"Accept-Language": "de"})
            with urllib.request.urlopen(german, timeout=10) as page:
                assert "<h1>Anmelden</h1>" in page.read().decode(), "there are no translations"
        finally:
            server.terminate()


def _answer(url: str, server: subprocess.Popen[bytes]) -> str:
    """Return what PUT answers as soon as the server is up."""
    deadline = time.monotonic() + DEMO_IS_UP_WITHIN
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
