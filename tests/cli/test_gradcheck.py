import json
import textwrap

import pytest

from npvae.checks import own
from npvae.checks.faults import FAULTS
from npvae.cli.gradcheck import EXAMPLES
from tests.cli.tools import assert_refused, invoke

LAYERS = """
import numpy as np

class Dense:
    def __init__(self):
        self.W, self.b = np.random.default_rng(0).normal(size=(3, 2)), np.zeros(2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

layer = Dense()

class Needy(Dense):
    def __init__(self, width):
        super().__init__()

class Transposed(Dense):
    def backward(self, dy):
        super().backward(dy)
        return 2 * dy @ self.W.T

def cube_forward(x):
    return x**3, x

def cube_backward(dy, x):
    return 3 * dy * x**2

def draw_forward(mu, log_var, eps):
    return mu + np.exp(log_var / 2) * eps, (log_var, eps)

def draw_backward(dz, cache):
    log_var, eps = cache
    return dz.copy(), dz * eps * np.exp(log_var / 2) / 2

def draw_args(rng):
    return [rng.normal(size=(4, 2)) for _ in range(3)]

def pair_forward(x, y):
    return x * y, (x, y)

def pair_backward(dz, cache):
    return dz * cache[1], dz * cache[0]

def loss(x):
    return np.sum(x**2)

def loss_gradient(x):
    return 2 * x

def half(x):
    return np.sum(x**2)

def half_gradient(x):
    return x

def clumsy_forward(x):
    raise RuntimeError("not today")

def clumsy_backward(dy, cache):
    return dy

number = 3
"""


@pytest.fixture
def layers(tmp_path):
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return path


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Dense", ("--shape", 5, 3), ["check_layer(Dense)", "W", "(3, 2)", "b", "PASS"]),
        ("layer", ("--shape", 5, 3), ["check_layer(Dense)", "PASS"]),
        ("cube", (), ["check_vjp(cube_forward, cube_backward)", "(5, 4)", "PASS"]),
        ("cube_forward", ("--shape", 7), ["(7,)", "PASS"]),
        ("draw", ("--wrt", "mu", "log_var"), ["mu", "log_var", "PASS"]),
        ("loss", (), ["check_gradient(loss, loss_gradient)", "PASS"]),
    ],
)
def test_own_code_that_is_right(layers, name, options, words):
    result = invoke("gradcheck", f"{layers}:{name}", *options)
    assert (result.code, result.err) == (0, "")
    assert all(word in result.out for word in words)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Transposed", ("--shape", 5, 3), ["FAIL", "twice the right value"]),
        ("half", (), ["FAIL", "half the right value"]),
    ],
)
def test_own_code_that_is_wrong(layers, name, options, words):
    result = invoke("gradcheck", f"{layers}:{name}", *options)
    assert (result.code, result.err) == (1, "")
    assert all(word in result.out for word in words)


def test_a_module(layers, monkeypatch):
    monkeypatch.chdir(layers.parent)
    layers.rename(layers.with_name("some_layers_of_mine.py"))
    result = invoke("gradcheck", "some_layers_of_mine:cube")
    assert (result.code, result.err) == (0, "")


def test_everything_in_a_file(tmp_path):
    path = tmp_path / "two.py"
    path.write_text(
        "from npvae.core.layers import dense_forward, dense_backward\n"  # imported: not this file's
        "import numpy as np\n"
        "def double_forward(x): return 2 * x, None\n"
        "def double_backward(dy, cache): return 2 * dy\n"
        "def f(x): return np.sum(x)\n"
        "def f_gradient(x): return np.ones_like(x)\n"
        "def gradcheck_args(rng): return rng.normal(size=(2, 6))\n"
    )
    result = invoke("gradcheck", path, "--json")
    assert result.code == 0, result
    reports = json.loads(result.out)
    assert [report["verdict"] for report in reports] == ["pass", "pass"]
    assert reports[0]["entries"][0]["shape"] == [2, 6]


def test_the_example_of_the_help_works(tmp_path):
    inside = EXAMPLES.split("for example,")[1].split("A class is called")[0]
    path = tmp_path / "layers.py"
    path.write_text(textwrap.dedent(inside))
    assert invoke("gradcheck", f"{path}:square").code == 0


def test_the_seed_decides(layers):
    first, again, other = (invoke("gradcheck", f"{layers}:cube", "--seed", seed).out for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("nothing", ["layers.py", "nothing"]),
        ("number", ["number", "forward and backward"]),
        ("Needy", ["Needy()", "width", "instance"]),
        ("pair", ["2 arguments", "pair_args(rng)"]),
        ("clumsy", ["clumsy", "layers.py:", "RuntimeError", "not today"]),
    ],
)
def test_names_that_cannot_be_checked(layers, name, parts):
    assert_refused(invoke("gradcheck", f"{layers}:{name}"), *parts)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("x = 1\nraise KeyError('lost')\n", ["KeyError", "lost", "line 2"]),
        ("def f(:\n", ["SyntaxError", "line 1"]),
        ("import no_such_module_anywhere\n", ["no_such_module_anywhere", "line 1"]),
        ("raise SystemExit(0)\n", ["SystemExit"]),
        ("x = 1\n", ["nothing to check"]),
    ],
)
def test_files_that_cannot_be_used(tmp_path, source, parts):
    path = tmp_path / "broken.py"
    path.write_text(source)
    assert_refused(invoke("gradcheck", path), "broken.py", *parts)


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (("missing.py:f",), ["missing.py", "no such file"]),
        (("no_such_package.module:f",), ["no_such_package.module", "no such module"]),
        (("missing.py:f", "--planted-faults"), ["--planted-faults"]),
        (("--shape", 3), ["--shape"]),
        (("--planted-faults", "--sizes", 1), ["--sizes", "at least 2"]),
        (("--planted-faults", "--seeds", 0), ["--seeds", "at least 1"]),
    ],
)
def test_bad_options(argv, parts):
    assert_refused(invoke("gradcheck", *argv), *parts)


@pytest.fixture
def few_checks(monkeypatch):
    checks = own.own_checks()[:2]
    monkeypatch.setattr(own, "own_checks", lambda: checks)
    return checks


def test_npvae_itself(few_checks):
    result = invoke("gradcheck")
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 100
    assert result.out.splitlines()[-1] == "2 of 2 checks passed"


def test_npvae_itself_as_json(few_checks):
    rows = json.loads(invoke("gradcheck", "--json").out)
    assert [row["part"] for row in rows] == [check.label.part for check in few_checks]
    assert all(row["passed"] for row in rows)


def test_a_failure_in_npvae_is_exit_code_1(few_checks, monkeypatch):
    from npvae.checks.faults import FAULTS
    from npvae.checks.planted import check

    fault = FAULTS["kl_mu_sign"]
    broken = few_checks[0]._replace(run=lambda seed: check(fault.wrong, fault, 3, seed))
    monkeypatch.setattr(own, "own_checks", lambda: [few_checks[1], broken])
    result = invoke("gradcheck")
    assert result.code == 1
    assert "1 of 2 checks passed" in result.out
    assert "sign" in result.out


@pytest.fixture
def few_faults(monkeypatch):
    for name in list(FAULTS)[2:]:
        monkeypatch.delitem(FAULTS, name)
    return FAULTS


def test_planted_faults(few_faults):
    result = invoke("gradcheck", "--planted-faults", "--seeds", 2, "--sizes", 2, 4)
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 100
    for fault in few_faults.values():
        assert fault.name in result.out
        assert fault.story[:60] in result.out
    assert result.out.count("4 of 4") == 4
    assert result.out.splitlines()[-1].split() == ["all", "2", "8", "8", "0"]


def test_a_missed_fault_is_exit_code_1(few_faults, monkeypatch):
    monkeypatch.setattr("npvae.checks.planted.caught", lambda fault, size, seed: False)
    result = invoke("gradcheck", "--planted-faults", "--seeds", 1, "--sizes", 2, "--json")
    assert result.code == 1
    assert [row["missed"] for row in json.loads(result.out)] == [[[2, 0]], [[2, 0]]]
