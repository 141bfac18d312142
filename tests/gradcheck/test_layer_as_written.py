"""Layers as people write them: the right ones pass, and what was not checked is never a plain pass."""

import random
import time
import types
import warnings

import numpy as np
import pytest

from npvae.gradcheck import check_layer
from tests.gradcheck.functions import draw

X = draw(5, 4)
RNG = np.random.default_rng(0)


def names(checks):
    return {check.name for check in checks}


class Dense:
    """Returns nothing: the gradient of the input is an attribute."""

    def __init__(self, factor=1.0):
        self.w, self.factor = draw(4, 3), factor

    def forward(self, inputs, training):
        self.inputs = inputs
        self.output = inputs @ self.w

    def backward(self, dvalues):
        self.dw = self.inputs.T @ dvalues
        self.dinputs = self.factor * dvalues @ self.w.T


class TestGradientsOfInputs:
    def test_an_attribute_beside_a_flag(self):
        assert check_layer(Dense(), (X, True)).verdict == "pass"
        wrong = check_layer(Dense(2.0), (X, True))
        assert {e.name: e.verdict for e in wrong.entries} == {"inputs": "fail", "w": "pass"}

    def test_one_that_is_missing_is_no_pass(self):
        class Product:
            def forward(self, x, scale):
                self.scale = scale
                return x * scale

            def backward(self, dy):
                return dy * self.scale

        report = check_layer(Product(), (X, draw(5, 4, seed=1)))
        assert report.verdict == "inconclusive"
        assert "no gradient was found for scale" in str(report)
        assert "params={'scale': None}" in str(report)
        told = check_layer(Product(), (X, draw(5, 4, seed=1)), params={"scale": None})
        assert told.verdict == "pass", str(told)

    def test_targets_need_none(self):
        class Loss:
            def forward(self, x, target):
                self.difference = x - target
                return np.sum(self.difference**2)

            def backward(self):
                return 2 * self.difference

        class Letters(Loss):
            def forward(self, A, Y):
                return super().forward(A, Y)

        class Layer(Letters):
            def forward(self, A, Y):
                super().forward(A, Y)
                return self.difference**2

            def backward(self, dy):
                return dy * 2 * self.difference

        args = X, draw(5, 4, seed=1)
        assert check_layer(Loss(), args).verdict == "pass"
        assert check_layer(Letters(), args).verdict == "pass"
        assert check_layer(Layer(), args).verdict == "inconclusive"

    def test_names_by_those_of_the_inputs(self):
        class Product:
            def __init__(self, factor=1.0):
                self.factor = factor

            def forward(self, left, right):
                self.left, self.right = left, right
                return left * right

            def backward(self, dy):
                self.dleft, self.dright = dy * self.right, self.factor * dy * self.left

        args = X, draw(5, 4, seed=1)
        report = check_layer(Product(), args)
        assert (report.verdict, [e.name for e in report.entries]) == ("pass", ["left", "right"])
        assert check_layer(Product(2.0), args).verdict == "fail"


class BatchNorm:
    def __init__(self, forgets):
        self.gamma, self.beta, self.forgets = np.ones(4), np.zeros(4), forgets

    def forward(self, x):
        self.inverse = 1 / np.sqrt(x.var(0) + 1e-5)
        self.x_hat = (x - x.mean(0)) * self.inverse
        return self.gamma * self.x_hat + self.beta

    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.x_hat).sum(0), dy.sum(0)
        dy = dy if self.forgets else dy * self.gamma
        return self.inverse * (dy - dy.mean(0) - self.x_hat * (dy * self.x_hat).mean(0))


class Decays:
    def __init__(self, decay):
        self.W, self.b, self.decay = draw(4, 3), np.zeros(3), decay

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0) + self.decay * self.b
        return dy @ self.W.T


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("make", "right", "wrong"), [(BatchNorm, False, True), (Decays, 0.0, 0.1)])
def test_what_the_first_values_hide_is_found(make, right, wrong, seed):
    assert check_layer(make(right), draw(6, 4, seed=seed), seed=seed).verdict == "pass"
    report = check_layer(make(wrong), draw(6, 4, seed=seed), seed=seed)
    assert report.verdict == "fail"
    assert "generic values" in names(report.failures)


class Flushed:
    """Makes its weights at the first forward, and lists its inputs until it is told to flush."""

    def __init__(self, factor=1.0):
        self.params, self.grads, self.xs, self.factor = {}, {}, [], factor

    def forward(self, x):
        if not self.params:
            self.params["W"] = draw(x.shape[1], 3)
            self.grads["W"] = np.zeros((x.shape[1], 3))
        self.xs.append(x)
        return x @ self.params["W"]

    def backward(self, dy):
        dx = [self._one(dy, x) for x in self.xs]
        return dx[0] if len(dx) == 1 else dx

    def _one(self, dy, x):
        self.grads["W"] += self.factor * x.T @ dy
        return dy @ self.params["W"].T

    def flush_gradients(self):
        self.xs = []
        self.grads = {k: np.zeros_like(v) for k, v in self.grads.items()}


class Eager(Flushed):
    def __init__(self, factor=1.0):
        super().__init__(factor)
        self.forward(np.ones((1, 4)))
        self.flush_gradients()


class Outer:
    def __init__(self, factor=1.0):
        self.inner = Flushed(factor)

    def forward(self, x):
        return self.inner.forward(x)

    def backward(self, dy):
        return 1.0 * self.inner.backward(dy).reshape(-1, 4)


@pytest.mark.parametrize("make", [Flushed, Eager, Outer])
def test_layers_that_list_their_inputs(make):
    report = check_layer(make(), X)
    assert report.verdict == "pass", str(report)
    assert not names(report.notes) & {"another point", "other branches"}
    assert len(report.entries) == 2
    assert check_layer(make(1.01), X).verdict == "fail"


def test_arrays_with_infinity_raise_no_warning():
    class Masked:
        def __init__(self):
            self.bias = np.where(np.tril(np.ones((4, 4))) > 0, 0.0, -np.inf)

        def forward(self, s):
            e = np.exp(s + self.bias)
            self.p = e / e.sum(-1, keepdims=True)
            return self.p

        def backward(self, dy):
            return self.p * (dy - (dy * self.p).sum(-1, keepdims=True))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_layer(Masked(), draw(4, 4)).verdict == "pass"
        assert check_layer(Masked(), np.zeros((4, 4))).passed


class Parameter:
    __slots__ = ("__weakref__", "data", "grad")

    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


class Linear:
    def __init__(self, factor=1.0):
        self.W, self.factor = Parameter(draw(4, 3)), factor

    def forward(self, x):
        self.x = x
        return x @ self.W.data

    def backward(self, dy):
        self.W.grad += self.factor * self.x.T @ dy
        return dy @ self.W.data.T


def test_gradients_for_the_optimizer_to_zero():
    report = check_layer(Linear(), X)
    assert report.verdict == "pass", str(report)
    assert "gradients add up" in names(report.notes)
    assert check_layer(Linear(1.01), X).verdict == "fail"


class CrossEntropy:
    def __init__(self, factor=1.0):
        self.factor = factor

    def forward(self, x, t):
        p = np.exp(x - x.max(1, keepdims=True))
        self.p, self.t = p / p.sum(1, keepdims=True), t
        return -np.log(self.p[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        g = self.p.copy()
        g[np.arange(len(g)), self.t] -= 1
        return self.factor * g / len(g)


def test_a_loss_that_ignores_dy():
    args = X, np.array([0, 3, 1, 1, 2])
    report = check_layer(CrossEntropy(), args)
    assert report.verdict == "pass", str(report)
    assert "dy ignored" in names(report.notes)
    assert check_layer(CrossEntropy(0.5), args).verdict == "fail"


class Dropout:
    def __init__(self, wrong=False):
        self.wrong = wrong
        self.rng = np.random.default_rng(3)

    def draw(self, shape):
        return self.rng.random(shape)

    def forward(self, x):
        self.mask = self.draw(x.shape) > 0.3
        return x * self.mask

    def backward(self, dy):
        return dy * (self.draw(dy.shape) > 0.3 if self.wrong else self.mask)


class OfTheModule(Dropout):
    def draw(self, shape):
        return RNG.random(shape)


class OfPython(Dropout):
    def draw(self, shape):
        return np.array([random.random() for _ in range(int(np.prod(shape)))]).reshape(shape)


@pytest.mark.parametrize("make", [Dropout, OfTheModule, OfPython])
def test_noise_is_held_fixed(make):
    before = RNG.bit_generator.state, random.getstate()
    report = check_layer(make(), X)
    assert report.verdict == "pass", str(report)
    assert check_layer(make(wrong=True), X).verdict == "fail"
    assert (RNG.bit_generator.state, random.getstate()) == before


class Affine:
    def __init__(self):
        self.W = types.SimpleNamespace(data=draw(4, 4), grad=np.zeros((4, 4)), m=np.zeros((4, 4)))

    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.W.data)

    def backward(self, dy):
        d = dy * (1 - np.tanh(self.x @ self.W.data) ** 2)
        self.W.grad = self.x.T @ d
        return d @ self.W.data.T


class Net:
    forwards = 0

    def __init__(self):
        self.layers = [Affine() for _ in range(8)]

    def forward(self, x):
        Net.forwards += 1
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


def test_a_tree_of_objects_takes_hardly_longer_than_its_forwards():
    """Three times the forwards' own time and 0.2 s of processor time, with room for a busy machine."""
    net, x = Net(), draw(3, 4)
    spent = []
    for _ in range(3):
        started = time.process_time()
        for _ in range(200):
            net.forward(x)
        one = (time.process_time() - started) / 200
        Net.forwards = 0
        started = time.process_time()
        assert check_layer(net, x).verdict == "pass"
        spent.append((time.process_time() - started - 0.2) / (Net.forwards * one))
    assert min(spent) < 8
