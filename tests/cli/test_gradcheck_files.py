"""``npvae gradcheck FILE.py`` with files as people write them: they print and raise."""

import json

import pytest

from tests.cli.tools import assert_refused, invoke

SOURCE = """
import numpy as np

print("loading")

def square_forward(x):
    print("running")
    return x**2, x

def square_backward(dy, x):
    return 2 * dy * x

def boom_forward(x):
    return inner(x), x

def inner(x):
    raise RuntimeError("not today")

def boom_backward(dy, x):
    return dy

def relu(x):
    return np.maximum(x, 0), x

def relu_backward(dy, x):
    return dy * (x > 0)

def log_forward(x):
    return np.log(x), x

def log_backward(dy, x):
    return dy / x

def root(x):
    return np.sum(np.sqrt(x))

def root_gradient(x):
    return 0.5 / np.sqrt(x)

class Root:
    def forward(self, x):
        self.y = np.sqrt(x)
        return self.y

    def backward(self, dy):
        return dy / (2 * self.y)

def lost_forward(x):
    return np.log(x - 5), x

def lost_backward(dy, x):
    return dy / (x - 5)

class Dense:
    def __init__(self):
        self.W = np.ones((3, 2))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T

def made_forward(x):
    return 2 * x, None

def made_backward(dy, cache):
    return 2 * dy

def made_args(rng):
    return rng.normal(size=3)

def lonely_backward(dy, cache):
    return dy

def early_forward(x):
    return x, None

def softmax_loss(x, y):
    return 0.0, x

class Half:
    def forward(self, x):
        return x
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def line_number(text):
    return next(k for k, line in enumerate(SOURCE.splitlines(), 1) if text in line)


def test_what_the_file_prints_goes_to_stderr(path):
    result = invoke("gradcheck", f"{path}:square", "--json")
    assert result.code == 0
    assert json.loads(result.out)[0]["verdict"] == "pass"
    assert "loading" in result.err
    assert "running" in result.err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_whole_file_is_checked_to_its_end(path, options):
    result = invoke("gradcheck", path, *options)
    assert result.code == 2  # nothing is wrong, but not all was checked
    boom = f"mine.py:{line_number('not today')}: RuntimeError: not today"
    if options:
        rows = {row["title"]: row for row in json.loads(result.out)}
        assert boom in rows["boom"]["reason"]
        left = {title for title, row in rows.items() if row["verdict"] == "not checked"}
        assert not any(rows[title]["passed"] for title in left)
        assert left == {"boom", "lost", "Dense"}
        assert {row["verdict"] for title, row in rows.items() if title not in left} <= {"pass", "kink"}
        assert len(rows) == 9
    else:
        assert f"boom: NOT CHECKED: {boom}" in result.out
        assert "check_vjp(relu, relu_backward): PASS" in result.out
        assert result.out.index("check_layer(Root)") < result.out.index("NOT CHECKED")


def test_a_wrong_gradient_decides_the_exit_code(path):
    path.write_text(SOURCE.replace("return 2 * dy * x", "return dy * x"))
    assert invoke("gradcheck", path).code == 1


def test_halves_of_pairs_are_named(path):
    start = "npvae gradcheck: skipped: "
    lines = invoke("gradcheck", path).err.splitlines()
    skipped = [line.removeprefix(start) for line in lines if line.startswith(start)]
    facts = [
        ("lonely_backward ", "lonely_forward or lonely"),
        ("early_forward ", "early_backward"),
        ("softmax_loss ", "softmax_loss_gradient or softmax_loss_backward"),
        ("Half ", "no method backward"),
        ("inner: ", "name_backward or name_gradient"),
    ]
    assert len(skipped) == len(facts)
    for line, (half, missing) in zip(skipped, facts, strict=True):
        assert line.startswith(half)
        assert missing in line


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("boom", [f"boom: mine.py:{line_number('not today')}: RuntimeError: not today"]),
        (
            "Dense",
            ["mine.py:", "ValueError: matmul", "random", "shape (5, 4)", "--shape", "Dense_args(rng)"],
        ),
        ("lost", ["not finite", "lost_args(rng)"]),
        ("Half", ["Half has no method backward"]),
        ("lonely_backward", ["lonely_forward"]),
        ("softmax_loss", ["softmax_loss_gradient"]),
    ],
)
def test_reasons(path, name, parts):
    path.write_text(SOURCE.replace("print(", "len("))
    assert_refused(invoke("gradcheck", f"{path}:{name}"), *parts)


@pytest.mark.parametrize("name", ["relu", "relu_backward"])
def test_a_forward_may_be_named_without_a_suffix(path, name):
    result = invoke("gradcheck", f"{path}:{name}")
    assert result.code == 0
    assert "check_vjp(relu, relu_backward): PASS" in result.out


@pytest.mark.parametrize("name", ["log", "root", "Root"])
def test_positive_arguments_where_normal_ones_are_not_finite(path, name):
    result = invoke("gradcheck", f"{path}:{name}")
    assert result.code == 0, result
    (note,) = [line for line in result.out.splitlines() if line.startswith("note: arguments: ")]
    assert "0.5 to 1.5" in note
    assert "note: arguments" not in invoke("gradcheck", f"{path}:square").out


@pytest.mark.parametrize(
    ("name", "options", "parts"),
    [
        (":made", ("--shape", 3), ["--shape has no effect on made: made_args makes its arguments"]),
        (":Root", ("--wrt", "x"), ["--wrt has no effect on Root: all gradients of a layer are checked"]),
    ],
)
def test_options_without_effect_are_an_error(path, name, options, parts):
    path.write_text(SOURCE.replace("print(", "len("))
    assert_refused(invoke("gradcheck", f"{path}{name}", *options), *parts)
    assert invoke("gradcheck", path, *options).out  # they have one on others


def test_wrt_of_a_loss(path):
    assert invoke("gradcheck", f"{path}:root", "--wrt", "x").code == 0
    result = invoke("gradcheck", f"{path}:root", "--wrt", "nothing")
    assert (result.code, result.out) == (2, "")
    assert "nothing" in result.err


def test_a_file_in_a_package_imports_its_package(tmp_path):
    package = tmp_path / "layers_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "formulas.py").write_text("def square(x):\n    return x**2\n")
    (package / "pairs.py").write_text(
        "from layers_of_mine.formulas import square\n"
        "from .formulas import square as again\n"
        "def f_forward(x):\n    return square(x), x\n"
        "def f_backward(dy, x):\n    return 2 * dy * x\n"
    )
    result = invoke("gradcheck", f"{package / 'pairs.py'}:f")
    assert result.code == 0, result


def test_a_stub_where_arguments_are_missing(tmp_path):
    path = tmp_path / "affine.py"
    path.write_text(
        "def affine_forward(x, W, b):\n    return x @ W + b, (x, W)\n"
        "def affine_backward(dy, cache):\n    x, W = cache\n    return dy @ W.T, x.T @ dy, dy.sum(axis=0)\n"
    )
    result = invoke("gradcheck", path)
    assert result.code == 2
    stub = result.err[result.err.index("def affine_args(rng):") :]
    path.write_text(
        path.read_text() + stub.replace("W = rng.standard_normal((5, 4))", "W = rng.standard_normal((4, 3))")
    )
    assert "b = rng.standard_normal((5, 4))" in stub
    path.write_text(path.read_text().replace("b = rng.standard_normal((5, 4))", "b = rng.standard_normal(3)"))
    assert invoke("gradcheck", path).code == 0
