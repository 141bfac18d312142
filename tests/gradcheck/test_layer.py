import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_layer


class Dense:
    """As many people write it: float32, a cache in the object, results written in place."""

    def __init__(self, D=4, H=3):
        rng = np.random.default_rng(0)
        self.W = rng.normal(size=(D, H)).astype(np.float32)
        self.b = np.zeros(H, np.float32)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.cache = x
        a = x @ self.W
        a += self.b
        self.mask = a > 0
        a *= self.mask
        return a

    def backward(self, dy):
        da = dy * self.mask
        self.dW[...] = self.cache.T @ da
        self.db[...] = da.sum(axis=0)
        return da @ self.W.T


class Mean(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db /= len(dy)
        return dx


class Accumulates(Dense):
    def backward(self, dy):
        da = dy * self.mask
        self.dW += self.cache.T @ da
        self.db += da.sum(axis=0)
        return da @ self.W.T


class Zeroed(Accumulates):
    def zero_grad(self):
        self.dW[...] = 0
        self.db[...] = 0


class Sticky(Dense):
    def forward(self, x):
        old = getattr(self, "cache", None)
        y = super().forward(x)
        self.cache = x if old is None else old
        return y


class Descends(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.W -= 0.1 * self.dW
        return dx


class Dicts:
    def __init__(self, suffix=""):
        self.params = {"W": np.ones((4, 3)), "b": np.zeros(3)}
        self.grads = {}
        self.prefix = suffix

    def __call__(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads[self.prefix + "W"] = self.x.T @ dy
        self.grads[self.prefix + "b"] = dy.sum(axis=0)
        return dy @ self.params["W"].T


class Product:
    def forward(self, a, b):
        self.cache = a, b
        return a * b

    def backward(self, dy):
        a, b = self.cache
        return dy * b, dy * a


class Dropout:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        self.mask = self.rng.random(x.shape) < 0.5
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


def inputs(seed=0, dtype=np.float32):
    return np.random.default_rng(seed + 10).normal(size=(5, 4)).astype(dtype)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [Dense, Zeroed, Dicts, lambda: Dicts("d"), lambda: Dicts("grad_")])
def test_correct_layers_pass(make, seed):
    report = check_layer(make(), inputs(seed), seed=seed)
    assert report.verdict == "pass", str(report)
    assert [entry.name for entry in report.entries] == ["x", "W", "b"]


def test_gradients_that_add_up_are_set_to_zero():
    report = check_layer(Accumulates(), inputs())
    assert report.verdict == "pass", str(report)
    assert "gradients add up" in {note.name for note in report.notes}
    assert "gradients add up" not in {note.name for note in check_layer(Zeroed(), inputs()).notes}


def test_the_layer_is_not_changed():
    layer = Dense()
    before = {name: value.copy() for name, value in vars(layer).items()}
    check_layer(layer, inputs())
    assert set(vars(layer)) == set(before)
    assert all(np.array_equal(vars(layer)[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Mean, "divided once too often"),
        (Sticky, "one layer, two inputs"),
        (Descends, "backward changes self.W"),
    ],
)
def test_wrong_layers_fail(make, words):
    report = check_layer(make(), inputs())
    assert report.verdict == "fail"
    assert words in str(report)


def test_parameters_can_be_told():
    report = check_layer(Dense(), inputs(), params={"W": "dW"})
    assert [entry.name for entry in report.entries] == ["x", "W", "b"]
    assert "params={'W': 'dW'}" in report.reproduce
    report = check_layer(Dicts(), inputs(), params="params", grads="grads", dtype=np.float64)
    assert [entry.name for entry in report.entries] == ["x", "W", "b"]
    with pytest.raises(ValueError, match="'V'"):
        check_layer(Dense(), inputs(), params={"V": "dV"})
    with pytest.raises(ValueError, match="attributes"):
        check_layer(Dicts(), inputs(), params="params", grads="nowhere")


def test_layers_without_parameters():
    report = check_layer(Product(), (inputs(0, np.float64), inputs(1, np.float64)))
    assert report.verdict == "pass"
    assert [entry.name for entry in report.entries] == ["a", "b"]
    assert check_layer(Dropout(), inputs()).verdict == "pass"


def test_something_that_is_no_layer():
    with pytest.raises(TypeError, match="forward"):
        check_layer(object(), inputs())


def test_check_gradient():
    def f(w, scale):
        return scale * np.sum(w**4)

    w = inputs(0, np.float64)
    right = check_gradient(f, lambda w, s: (4 * s * w**3, np.sum(w**4)), [w, 2.0])
    assert right.verdict == "pass"
    assert [entry.name for entry in right.entries] == ["w", "scale"]
    alone = check_gradient(f, lambda w, s: 4 * s * w**3, [w, 2.0])
    assert [entry.name for entry in alone.entries] == ["w"]
    wrong = check_gradient(f, lambda w, s: (2 * s * w**3, np.sum(w**4)), [w, 2.0], seed=3)
    assert wrong.verdict == "fail"
    assert "half the right value" in str(wrong)
    assert wrong.reproduce.startswith("check_gradient(f, <lambda>, x, seed=3")
    assert check_gradient(lambda x: np.sum(np.abs(x)), np.sign, np.zeros(3)).verdict == "kink"
    with pytest.raises(TypeError, match="single number"):
        check_gradient(lambda x: x.sum(axis=0), lambda x: x, w)
