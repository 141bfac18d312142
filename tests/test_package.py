"""The package as a whole: what it exports, what importing it costs, and rules for every file."""

import ast
import io
import json
import os
import subprocess
import sys
import tokenize
import tomllib
from importlib.metadata import entry_points, metadata, version
from pathlib import Path

import pytest

import npvae

PACKAGE = Path(npvae.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]
HEAVY = {"sklearn", "matplotlib", "numba", "scipy"}

every_module = pytest.mark.parametrize("path", MODULES, ids=NAMES)


def in_new_process(code):
    """Run code in a new interpreter; return what it prints, and the seconds of a processor it took."""
    before = os.times()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return result.stdout, spent


def imported_by(code):
    """Top-level names of the modules that code imports."""
    out, _ = in_new_process(
        f"{code}\nimport json, sys\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    return set(json.loads(out.splitlines()[-1]))


HELP = """
try:
    import npvae.cli
    npvae.cli.main({argv})
except SystemExit:
    pass
"""
CHEAP = {
    "import npvae": "import npvae",
    "npvae --help": HELP.format(argv=["--help"]),
    "npvae compare --help": HELP.format(argv=["compare", "--help"]),
    "npvae --version": HELP.format(argv=["--version"]),
}


@pytest.mark.parametrize("name", CHEAP)
def test_it_starts_without_heavy_libraries(name):
    imported = imported_by(CHEAP[name])
    assert "npvae" in imported
    assert imported & HEAVY == set()


@pytest.mark.parametrize("name", CHEAP)
def test_it_starts_quickly(name):
    """The best of three beside a bare interpreter's, with room for a slow machine."""
    bare = min(in_new_process("pass")[1] for _ in range(3))
    assert min(in_new_process(CHEAP[name])[1] for _ in range(3)) < bare + 0.3


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("gradcheck", {*HEAVY, "tqdm", "safetensors"}),
        ("core", {"sklearn", "matplotlib"}),
        ("data", {"sklearn", "matplotlib", "numba"}),
        ("training", {"sklearn", "matplotlib"}),
        ("persistence", {"sklearn", "matplotlib"}),
    ],
)
def test_rooms_do_without(room, forbidden):
    assert imported_by(f"import npvae.{room}") & forbidden == set()


def test_public_names():
    assert set(npvae.__all__) == {"VAE", "Autoencoder", "load", "__version__"}
    for name in npvae.__all__:
        assert getattr(npvae, name) is not None
    assert set(npvae.__all__) <= set(dir(npvae))
    from npvae.estimators import VAE, Autoencoder, load

    assert (npvae.VAE, npvae.Autoencoder, npvae.load) == (VAE, Autoencoder, load)


def test_a_star_import_gives_the_public_names():
    out, _ = in_new_process("from npvae import *\nprint(VAE.__name__, Autoencoder.__name__, callable(load))")
    assert out.split() == ["VAE", "Autoencoder", "True"]


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'npvae' has no attribute 'VAEs'"):
        _ = npvae.VAEs


def test_version():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert npvae.__version__ == version("npvae") == project["version"]
    assert metadata("npvae")["Name"] == "npvae"


def test_the_command():
    (command,) = [point for point in entry_points(group="console_scripts") if point.name == "npvae"]
    from npvae.cli import main

    assert command.load() is main


def test_there_are_modules_to_look_at():
    assert {"core/vae.py", "cli/compare.py", "gradcheck/checks.py"} <= set(NAMES)


@every_module
def test_nothing_imports_the_packages_face(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert "npvae" not in {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "npvae":
            assert not {alias.name for alias in node.names} & set(npvae.__all__)


@every_module
def test_names_are_ascii_and_docstrings_are_there(path):
    """Mathematics in docstrings and the spelling of people's names may use all of Unicode."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    assert all(token.string.isascii() for token in tokens if token.type == tokenize.NAME)


def dotted(node):
    """From the syntax of ``np.random.seed`` to that text; "" for anything but names and attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


LOCAL_RANDOMNESS = {"default_rng", "Generator", "RandomState", "SeedSequence"}


def global_randomness(tree):
    """Uses of NumPy's or Python's hidden random state."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            for prefix in ("np.random.", "numpy.random."):
                if name.startswith(prefix) and name.split(".")[2] not in LOCAL_RANDOMNESS:
                    yield name
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name == "random")
        elif isinstance(node, ast.ImportFrom) and node.module in ("random", "numpy.random"):
            yield from (alias.name for alias in node.names if alias.name not in LOCAL_RANDOMNESS)


def pickling(tree):
    """Whatever would run code that a file holds."""
    loaders = {"pickle", "joblib", "dill", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if names == ["joblib"] and {alias.name for alias in node.names} <= {
                "Parallel",
                "delayed",
                "effective_n_jobs",
            }:
                names = []  # which run code of the program itself
        else:
            names = []
        yield from (name for name in names if name.split(".")[0] in loaders)
        if (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and ast.unparse(node.value) != "False"
        ):
            yield "allow_pickle"
        if isinstance(node, ast.Call) and dotted(node.func) in {"eval", "exec"}:
            yield dotted(node.func)


@every_module
def test_no_hidden_random_state_and_no_pickle(path):
    tree = ast.parse(path.read_text())
    # The checker must find out whether somebody else's code draws from it, and leave it as it was.
    saved = {f"np.random.{name}" for name in ("get_state", "set_state", "RandomState", "BitGenerator")}
    allowed = saved | {"random"} if "gradcheck" in path.parts else set()
    assert [name for name in global_randomness(tree) if name not in allowed] == []
    # numba pickles machine code; code_cache.py reads what numba wrote, after comparing its hash.
    assert list(pickling(tree)) == (["pickle"] if path.name == "code_cache.py" else [])


def test_the_scans_find_what_they_look_for():
    tree = ast.parse(
        "import random\nimport pickle\nnp.random.seed(0)\nx = numpy.random.randn(3)\n"
        "np.load(p, allow_pickle=True)\nnp.random.default_rng(0).normal()\nfrom numpy.random import rand\n"
    )
    assert sorted(global_randomness(tree)) == ["np.random.seed", "numpy.random.randn", "rand", "random"]
    assert sorted(pickling(tree)) == ["allow_pickle", "pickle"]
