"""Wherever a layer keeps its parameters and gradients, the correct layer passes and the wrong one fails."""

from functools import partial

import numpy as np
import pytest

from npvae.gradcheck import check_layer


def x(seed=0):
    return np.random.default_rng(seed + 10).normal(size=(5, 3))


def weights(D=3, H=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(D, H)), rng.normal(size=H)


class Attributes:
    """y = x W + b, with all four names to choose."""

    def __init__(self, W, b, dW, db, factor):
        self.names, self.factor = (W, b, dW, db), factor
        w, bias = weights()
        setattr(self, W, w)
        setattr(self, b, bias)

    def forward(self, x):
        self.x = x
        return x @ getattr(self, self.names[0]) + getattr(self, self.names[1])

    def backward(self, dy):
        setattr(self, self.names[2], self.factor * self.x.T @ dy)
        setattr(self, self.names[3], dy.sum(axis=0))
        return dy @ getattr(self, self.names[0]).T


NAMES = [
    ("W", "b", "dw", "db"),
    ("_W", "_b", "_dW", "_db"),
    ("weight", "bias", "dW", "db"),
    ("weights", "bias", "dw", "db"),
    ("weights", "biases", "dweights", "dbiases"),
    ("weight", "bias", "weight_grad", "bias_grad"),
    ("W", "b", "dLdW", "dLdb"),
    ("W", "b", "dL_dW", "dL_db"),
    ("W", "b", "grad_W", "grad_b"),
    ("W", "b", "W_grad", "b_grad"),
    ("W", "b", "gW", "gb"),
    ("weight", "bias", "gradWeight", "gradBias"),
    ("weights", "bias", "grad_weights", "grad_bias"),
    ("_Attributes__W", "_Attributes__b", "_Attributes__dW", "_Attributes__db"),
]


class InDicts(Attributes):
    def __init__(self, prefix, factor):
        self.W, self.b = weights()
        self.grads, self.prefix, self.factor = {}, prefix, factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.grads[self.prefix + "W"] = self.factor * self.x.T @ dy
        self.grads[self.prefix + "b"] = dy.sum(axis=0)
        return dy @ self.W.T


class Dense:
    def __init__(self, factor=1.0, seed=0, D=3, H=2):
        self.W, self.b = weights(D, H, seed)
        self.factor = factor

    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.W + self.b)

    def backward(self, dy):
        da = dy * (1 - np.tanh(self.x @ self.W + self.b) ** 2)
        self.dW = self.factor * self.x.T @ da
        self.db = da.sum(axis=0)
        return da @ self.W.T


class Sequential:
    def __init__(self, factor):
        self.layers = [Dense(1.0, 1, 3, 4), Dense(factor, 2, 4, 2)]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


class Nested:
    def __init__(self, factor):
        self.fc1, self.fc2 = Dense(1.0, 1, 3, 4), Dense(factor, 2, 4, 2)

    def forward(self, x):
        return self.fc2.forward(self.fc1.forward(x))

    def backward(self, dy):
        return self.fc1.backward(self.fc2.backward(dy))


class Slots:
    __slots__ = ("W", "b", "dW", "db", "factor", "x")

    def __init__(self, factor):
        self.W, self.b = weights()
        self.factor = factor

    forward = InDicts.forward

    def backward(self, dy):
        self.dW = self.factor * self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


class Methods(Slots):
    """params() and grads() return lists; the gradients themselves have names of their own."""

    __slots__ = ("p", "q")

    def backward(self, dy):
        self.p, self.q = self.factor * self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

    def params(self):
        return [self.W, self.b]

    def grads(self):
        return [self.p, self.q]


class Couples(Methods):
    params = None
    grads = None

    def parameters(self):
        yield self.W, self.p
        yield self.b, self.q


class Parameter:
    def __init__(self, value, names):
        self.names = names
        setattr(self, names[0], value)
        setattr(self, names[1], None)


class Objects:
    def __init__(self, names, factor):
        W, b = weights()
        self.W, self.b = Parameter(W, names), Parameter(b, names)
        self.names, self.factor = names, factor

    def forward(self, x):
        self.x = x
        return x @ getattr(self.W, self.names[0]) + getattr(self.b, self.names[0])

    def backward(self, dy):
        setattr(self.W, self.names[1], self.factor * self.x.T @ dy)
        setattr(self.b, self.names[1], dy.sum(axis=0))
        return dy @ getattr(self.W, self.names[0]).T


class Lists:
    """A network as one class, with a list of weights and one of biases."""

    def __init__(self, factor):
        (V, a), (W, b) = weights(3, 4, 1), weights(4, 2, 2)
        self.weights, self.biases, self.factor = [V, W], [a, b], factor

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.weights[0] + self.biases[0])
        return self.h @ self.weights[1] + self.biases[1]

    def backward(self, dy):
        dh = (dy @ self.weights[1].T) * (1 - self.h**2)
        self.dW = [self.factor * self.x.T @ dh, self.h.T @ dy]
        self.db = [dh.sum(axis=0), dy.sum(axis=0)]
        return dh @ self.weights[0].T


class Slope:
    """A parameter that is a Python float."""

    def __init__(self, factor):
        self.a, self.factor = 0.25, factor

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.a * x)

    def backward(self, dy):
        self.da = self.factor * float(np.sum(dy * self.x * (self.x < 0)))
        return dy * np.where(self.x > 0, 1.0, self.a)


STYLES = {"-".join(names): partial(Attributes, *names) for names in NAMES}
STYLES |= {"grads['W']": partial(InDicts, ""), "grads['dW']": partial(InDicts, "d")}
STYLES |= {
    ".".join(names): partial(Objects, names)
    for names in (("value", "grad"), ("data", "grad"), ("data", "gradient"), ("data", "diff"))
}
STYLES |= {kind.__name__: kind for kind in (Dense, Sequential, Nested, Slots, Methods, Couples, Lists, Slope)}


@pytest.mark.parametrize("style", STYLES)
def test_parameters_are_found(style):
    report = check_layer(STYLES[style](1.0), x())
    assert report.verdict == "pass", str(report)
    assert len(report.entries) == {"Sequential": 5, "Nested": 5, "Lists": 5, "Slope": 2}.get(style, 3)
    assert check_layer(STYLES[style](1.01), x()).verdict == "fail"


def test_names_of_nested_parameters():
    names = [entry.name for entry in check_layer(Sequential(1.0), x()).entries]
    assert names == ["x", "layers[0].W", "layers[0].b", "layers[1].W", "layers[1].b"]
    assert [entry.name for entry in check_layer(Nested(1.0), x()).entries][3:] == ["fc2.W", "fc2.b"]


def test_a_wrong_shape_is_a_wrong_gradient():
    class Column(Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = self.db[None, :]
            return dx

    report = check_layer(Column(), x())
    assert report.verdict == "fail"
    assert "shape" in str(report)


def test_an_input_and_its_gradient_are_no_parameter():
    class Keeps(Dense):
        def backward(self, dy):
            self.dx = super().backward(dy)
            return self.dx

    used = Keeps()
    used.forward(x(1))
    used.backward(np.ones((5, 2)))
    assert [entry.name for entry in check_layer(used, x()).entries] == ["x", "W", "b"]


def test_names_that_differ_in_case_only():
    class Both:
        def __init__(self, factor):
            self.W, self.w = weights(3, 2, 0)[0], weights(3, 2, 1)[0]
            self.factor = factor

        def forward(self, x):
            self.x = x
            return x @ self.W + np.sin(x @ self.w)

        def backward(self, dy):
            da = dy * np.cos(self.x @ self.w)
            self.dw, self.dW = self.factor * self.x.T @ da, self.x.T @ dy
            return dy @ self.W.T + da @ self.w.T

    report = check_layer(Both(1.0), x())
    assert report.verdict == "pass"
    assert "W with dW, w with dw" in str(report)
    assert check_layer(Both(1.01), x()).verdict == "fail"


def test_a_step_of_time_is_no_gradient():
    class Integrator:
        def __init__(self):
            self.t, self.dt = 1.0, 0.1

        def forward(self, x):
            return self.t * x + self.dt * x

        def backward(self, dy):
            return (self.t + self.dt) * dy

    report = check_layer(Integrator(), x())
    assert (report.verdict, len(report.entries)) == ("pass", 1)
