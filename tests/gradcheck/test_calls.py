"""Whatever signature a layer has: it is checked, or one sentence says what is expected."""

import numpy as np
import pytest

from npvae.gradcheck import check_layer


def x(seed=0, shape=(5, 3)):
    return np.random.default_rng(seed + 10).normal(size=shape)


class Dense:
    def __init__(self, factor=1.0):
        rng = np.random.default_rng(0)
        self.W, self.b = rng.normal(size=(3, 2)), rng.normal(size=2)
        self.factor = factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.factor * self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class Returns(Dense):
    def backward(self, dy):
        return dy @ self.W.T, self.factor * self.x.T @ dy, dy.sum(axis=0)


class ReturnsOthersFirst(Dense):
    def backward(self, dy):
        return dy @ self.W.T, dy.sum(axis=0), self.factor * self.x.T @ dy


class ReturnsDict(Dense):
    def backward(self, dy):
        return dy @ self.W.T, {"W": self.factor * self.x.T @ dy, "b": dy.sum(axis=0)}


class ReturnsAndKeeps(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        return dx, self.x.T @ dy, self.db


class Lazy(Dense):
    def __init__(self, factor=1.0):
        self.W = self.b = None
        self.factor = factor

    def forward(self, x):
        if self.W is None:
            Dense.__init__(self, self.factor)
        return super().forward(x)


class LazyReturns(Lazy):
    backward = Returns.backward


class MeanSquare:
    """A loss: backward takes no dy."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def forward(self, pred, target):
        self.error = pred - target
        return np.mean(self.error**2)

    def backward(self):
        return self.factor * 2 * self.error / self.error.size


class TwoOutputs(Dense):
    def forward(self, x):
        return super().forward(x), x * x

    def backward(self, d1, d2):
        return super().backward(d1) + 2 * self.x * d2


class Outputs(Dense):
    """Everything is kept, nothing is returned."""

    def forward(self, inputs):
        self.output = super().forward(inputs)

    def backward(self, dvalues):
        self.dinputs = self.factor * super().backward(dvalues)


class Accumulates(Dense):
    def __init__(self, factor=1.0):
        super().__init__(factor)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def backward(self, dy):
        self.dW += self.factor * self.x.T @ dy
        self.db += dy.sum(axis=0)
        return dy @ self.W.T


def resetting(name):
    def reset(self):
        self.dW[...] = 0
        self.db[...] = 0

    return type(name, (Accumulates,), {name: reset})


RESETS = [
    "zero_grad",
    "zero_grads",
    "zero_gradients",
    "zeroGrad",
    "zerograd",
    "clear_grads",
    "reset_gradients",
]


class Chain:
    """Only the layer inside can set its gradients to zero."""

    def __init__(self, factor=1.0):
        self.layers = [resetting("zero_gradients")(factor)]

    def forward(self, x):
        return self.layers[0].forward(x)

    def backward(self, dy):
        return self.layers[0].backward(dy)


STYLES = {
    kind.__name__: kind
    for kind in (Returns, ReturnsOthersFirst, ReturnsDict, ReturnsAndKeeps, Lazy, LazyReturns, TwoOutputs)
}
STYLES |= {"Outputs": Outputs, "Chain": Chain} | {name: resetting(name) for name in RESETS}


@pytest.mark.parametrize("style", STYLES)
def test_a_correct_layer_passes_and_a_wrong_one_fails(style):
    report = check_layer(STYLES[style](), x())
    assert report.verdict == "pass", str(report)
    assert len(report.entries) == 3
    assert check_layer(STYLES[style](1.01), x()).verdict == "fail"


def test_returned_gradients_are_compared_with_those_that_are_kept():
    class Differs(Dense):
        def backward(self, dy):
            return super().backward(dy), 2 * self.dW, self.db

    report = check_layer(Differs(), x())
    assert all(entry.verdict == "pass" for entry in report.entries)
    assert [check.name for check in report.failures] == ["returned gradients"]


def test_a_loss_without_dy():
    both = x(0), x(1)
    report = check_layer(MeanSquare(), both)
    assert (report.verdict, [entry.name for entry in report.entries]) == ("pass", ["pred"])
    assert check_layer(MeanSquare(0.5), both).verdict == "fail"

    class Each(MeanSquare):
        def forward(self, pred, target):
            super().forward(pred, target)
            return self.error**2

        def backward(self):
            return np.sum(super().backward())

    with pytest.raises(TypeError, match="must be a single number"):
        check_layer(Each(), both)


def test_gradients_that_fit_in_several_ways():
    class Square(Dense):
        def __init__(self):
            self.V, self.W, self.b = x(1, (3, 3)), x(2, (3, 3)), np.ones(3)

        def forward(self, x):
            self.x = x
            return x @ self.V @ self.W + self.b

        def backward(self, dy):
            return dy @ self.W.T @ self.V.T, self.x.T @ dy @ self.W.T

    with pytest.raises(ValueError, match=r"\(3, 3\).*in several"):
        check_layer(Square(), x())


def test_an_embedding():
    class Embedding:
        def __init__(self):
            self.W = x(0, (7, 3))

        def forward(self, tokens):
            self.tokens = tokens
            return self.W[tokens]

        def backward(self, dy):
            self.dW = np.zeros_like(self.W)
            np.add.at(self.dW, self.tokens, dy)

    class Overwrites(Embedding):
        def backward(self, dy):
            self.dW = np.zeros_like(self.W)
            self.dW[self.tokens] = dy

    tokens = np.array([1, 4, 4, 0, 6])
    assert check_layer(Embedding(), tokens).verdict == "pass"
    assert check_layer(Overwrites(), tokens).verdict == "fail"


class InPlace(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.W -= 0.1 * self.dW
        return dx


class Rebinds(Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.W = self.W - 0.1 * self.dW
        return dx


class Forgets(Dense):
    """The gradient is a local variable."""

    def backward(self, dy):
        dx = dy @ self.W.T
        self.W -= 0.1 * self.x.T @ dy
        self.b -= 0.1 * dy.sum(axis=0)
        return dx


@pytest.mark.parametrize("make", [InPlace, Rebinds, Forgets])
def test_an_update_inside_the_backward_is_called_one(make):
    report = check_layer(make(), x())
    assert [(check.name, check.verdict) for check in report.checks if check.verdict == "fail"] == [
        ("unchanged parameters", "fail")
    ]
    assert "backward changes self.W" in str(report)
    assert all(entry.verdict == "pass" for entry in report.entries)


def test_a_forward_that_changes_a_parameter_is_no_pass():
    class Clips(Dense):
        def forward(self, x):
            self.W *= 0.5
            return super().forward(x)

    report = check_layer(Clips(), x())
    assert report.verdict == "inconclusive"
    assert "forward changes W" in str(report)


def lacks(**methods):
    return type("Layer", (), methods)()


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Dense, "pass an instance"),
        (object(), r"needs methods forward\(x\) and backward\(dy\)"),
        (lacks(forward=lambda self, x: x), "needs methods"),
        (lacks(forward=lambda self, x: None, backward=lambda self, dy: dy), "forward returned None"),
        (lacks(forward=lambda self, x: x > 0, backward=lambda self, dy: dy), "forward returned dtype bool"),
        (lacks(forward=lambda self, x: "y", backward=lambda self, dy: dy), "forward returned dtype"),
        (lacks(forward=lambda self, a, b: a, backward=lambda self, dy: dy), "tuple of all"),
        (lacks(forward=lambda self, x: x, backward=lambda self, dy, k: dy), r"backward\(dy, k\) needs 2"),
    ],
)
def test_what_is_no_layer_is_told_what_is_expected(layer, words):
    with pytest.raises(TypeError, match=words):
        check_layer(layer, x())
