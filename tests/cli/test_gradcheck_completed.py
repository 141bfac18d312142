"""``npvae gradcheck FILE.py`` on what cannot be checked as it is: it prints lines that make it work."""

import json
import textwrap

import pytest

from tests.cli.tools import assert_refused, invoke

LAYERS = """
import abc
import numpy as np

class Layer:
    def forward(self, x):
        raise NotImplementedError

    def backward(self, dy):
        raise NotImplementedError

class Abstract(abc.ABC):
    @abc.abstractmethod
    def forward(self, x): ...

    @abc.abstractmethod
    def backward(self, dy): ...

class Dense(Layer):
    def __init__(self, n_in, n_out):
        self.W = np.random.default_rng(0).normal(size=(n_in, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T

class Tanh(Layer):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)
"""


@pytest.fixture
def file(tmp_path):
    def write(source):
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(source))
        return path

    return write


def printed_lines(result):
    return "\n" + result.err.partition("again:\n")[2]


def titles(path):
    return {row["title"]: row["verdict"] for row in json.loads(invoke("gradcheck", path, "--json").out)}


def test_a_class_that_needs_arguments_leaves_the_rest_checked(file):
    path = file(LAYERS)
    result = invoke("gradcheck", path)
    assert result.code == 2
    assert "Dense: NOT CHECKED: Dense() raises TypeError" in result.out
    assert "Layer is not implemented" in result.err
    assert "Abstract is an abstract class" in result.err
    assert printed_lines(result).strip() == "dense = Dense(n_in=4, n_out=3)"
    path.write_text(LAYERS + printed_lines(result))
    again = invoke("gradcheck", path)
    assert again.code == 0, again
    assert titles(path) == {"check_layer(Tanh)": "pass", "check_layer(Dense)": "pass"}


def test_a_wrong_layer_beside_a_class_that_needs_arguments(file):
    path = file(LAYERS.replace("1 - self.y**2", "1 - self.y"))
    assert invoke("gradcheck", path).code == 1
    assert titles(path) == {"check_layer(Tanh)": "fail", "Dense": "not checked"}


def test_a_file_in_which_nothing_can_be_checked_is_an_error(file):
    only = LAYERS.partition("class Abstract")[0]
    assert invoke("gradcheck", file(only)).code == 2
    assert_refused(invoke("gradcheck", f"{file(LAYERS)}:Dense"), "dense = Dense(n_in=4, n_out=3)")


BY_NAME = """
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_backward(dA, z):
    return dA * sigmoid(z) * (1 - sigmoid(z))

def affine_forward(x, w, b):
    return x @ w + b

def affine_backward(w, x, dout):
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)

def affine_args(rng):
    return rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)

def total(x, axis):
    return x.sum(axis=axis), x.shape

def total_backward(dy, shape, axis):
    return np.broadcast_to(np.expand_dims(dy, axis), shape).copy()

def total_args(rng):
    return rng.normal(size=(5, 4)), 1

def square(x):
    return x**2

def square_backward(x):
    return 2 * x
"""


def test_a_backward_takes_arguments_of_its_forward_by_name(file):
    path = file(BY_NAME)
    assert set(titles(path).values()) == {"pass"}
    assert len(titles(path)) == 4
    result = invoke("gradcheck", f"{path}:sigmoid", "--shape", 3, "--seed", 1)
    assert "check_vjp(sigmoid, sigmoid_backward): PASS" in result.out
    assert "note: by name: sigmoid_backward was called with z" in result.out
    assert "reproduce: npvae gradcheck mine.py:sigmoid --shape 3 --seed 1" in result.out


@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [
        ("(1 - sigmoid(z))", "(1 + sigmoid(z))", "sigmoid"),
        ("dout.sum(axis=0)", "dout.mean(axis=0)", "affine"),
        ("shape).copy()", "shape) / 2", "total"),
        ("return 2 * x", "return x", "square"),
    ],
)
def test_a_wrong_backward_that_takes_arguments_by_name(file, right, wrong, name):
    assert invoke("gradcheck", f"{file(BY_NAME.replace(right, wrong))}:{name}").code == 1


CACHES = """
import numpy as np

def relu(Z):
    return np.maximum(Z, 0)

def relu_backward(dA, cache):
    return dA * (cache > 0)

def cube_forward(x):
    return x**3

def cube_backward(dy, cache):
    return 3 * dy * cache**2

def exp(x):
    return np.exp(x)

def exp_backward(dy, out):
    return dy * out

def both(x):
    return x**2, x**3, x

def both_backward(dys, x):
    return dys[0] * 2 * x + dys[1] * 3 * x**2
"""


def test_the_lines_for_a_forward_that_returns_no_cache(file):
    path = file(CACHES)
    result = invoke("gradcheck", path)
    assert result.code == 2
    assert "cube: NOT CHECKED: cube_forward returns 1 value, not a pair (y, cache)" in result.out
    assert "_args" not in result.err
    path.write_text(CACHES + printed_lines(result))
    again = invoke("gradcheck", path)
    assert again.code == 0, again
    assert again.out.count("PASS") == 4
    assert again.err == ""


def test_a_backward_with_other_arguments(file):
    path = file("def f(x): return x, x\ndef f_backward(dy, cache, lr): return dy\n")
    assert_refused(invoke("gradcheck", f"{path}:f"), "f_backward needs dy, cache, lr", "defaults")


def test_functions_of_torch(file):
    pytest.importorskip("torch")
    source = """
        import torch as th

        class Square(th.autograd.Function):
            @staticmethod
            def forward(ctx, x, w):
                ctx.save_for_backward(x, w)
                return w * x.pow(2)

            @staticmethod
            def backward(ctx, dy):
                x, w = ctx.saved_tensors
                return 2 * dy * w * x, dy * x.pow(2)

        class Log(th.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return th.log(x)

            @staticmethod
            def backward(ctx, dy):
                return dy / ctx.saved_tensors[0]

        def twice_forward(x: th.Tensor):
            return x.mul(2), None

        def twice_backward(dy, cache):
            return dy.mul(2)
    """
    path = file(source)
    result = invoke("gradcheck", path)
    assert result.out.count("PASS") == 2
    path.write_text(path.read_text() + printed_lines(result))
    again = invoke("gradcheck", path)
    assert again.code == 0, again
    assert again.out.count("PASS") == 3


@pytest.mark.parametrize(
    ("layout", "level"),
    [
        ({"__init__.py": "from .acts import Double\n"}, "."),  # which imports the file itself
        ({}, "."),
        (
            {"../__init__.py": "", "../base.py": "from .tensor import two\n", "../tensor.py": "two = 2\n"},
            "..",
        ),
    ],
)
def test_relative_imports(tmp_path, layout, level):
    folder = tmp_path / f"net{len(layout)}" / f"layers{len(layout)}"  # names of their own: imports stay
    folder.mkdir(parents=True)
    (folder / "base.py").write_text("two = 2\n")
    for name, source in layout.items():
        (folder / name).write_text(source)
    (folder / "acts.py").write_text(
        f"from {level}base import two\n"
        "class Double:\n"
        "    def forward(self, x):\n        return two * x\n"
        "    def backward(self, dy):\n        return two * dy\n"
    )
    result = invoke("gradcheck", f"{folder / 'acts.py'}:Double")
    assert result.code == 0, result


def test_the_command_for_a_package_that_begins_further_up(tmp_path, monkeypatch):
    folder = tmp_path / "outer_net" / "inner_net"
    folder.mkdir(parents=True)
    (folder.parent / "tensor.py").write_text("two = 2\n")
    (folder / "base.py").write_text("from ..tensor import two\n")
    (folder / "acts.py").write_text(
        "from .base import two\n"
        "def f_forward(x):\n    return two * x, None\n"
        "def f_backward(dy, cache):\n    return two * dy\n"
    )
    monkeypatch.chdir(folder)
    result = invoke("gradcheck", "acts.py")
    assert_refused(result, "acts.py cannot be imported", "line 1 of base.py")
    place, _, command = result.err.strip().rpartition("cd ")[2].partition("; npvae ")
    monkeypatch.chdir(place)
    assert command == "gradcheck outer_net.inner_net.acts"
    assert invoke(*command.split()).code == 0
