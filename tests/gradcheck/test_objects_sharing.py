"""Arrays with several names, and arrays that are views of others."""

import numpy as np
import pytest

from npvae.gradcheck import check_layer
from npvae.gradcheck.objects import Place, duplicate


def x(dtype=np.float64):
    return np.random.default_rng(10).normal(size=(5, 3)).astype(dtype)


class Affine:
    def __init__(self, W, b, factor):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.factor = factor

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dy):
        self.grads[0][...] = self.factor * self.x.T @ dy
        self.grads[1][...] = dy.sum(axis=0)
        return dy @ self.params[0].T


class Network:
    """Its lists hold the very arrays that its layers hold."""

    def __init__(self, factor=1.0, dtype=np.float64):
        rng = np.random.default_rng(0)
        sizes = ((3, 4), (4, 2))
        self.layers = [
            Affine(rng.normal(size=s).astype(dtype), rng.normal(size=s[1]).astype(dtype), f)
            for s, f in zip(sizes, (1.0, factor), strict=True)
        ]
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


class Stale(Network):
    """The lists keep the first gradients, the layers make new ones."""

    def backward(self, dy):
        for layer in self.layers:
            layer.grads = [np.zeros_like(grad) for grad in layer.grads]
        return super().backward(dy)


class Flat:
    """W and b are views of one vector."""

    def __init__(self, factor=1.0, dtype=np.float64):
        self.theta = np.random.default_rng(0).normal(size=8).astype(dtype)
        self.W, self.b = self.theta[:6].reshape(3, 2), self.theta[6:]
        self.dtheta, self.factor = np.zeros_like(self.theta), factor
        self.dW, self.db = self.dtheta[:6].reshape(3, 2), self.dtheta[6:]

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW[...] = self.factor * self.x.T @ dy
        self.db[...] = dy.sum(axis=0)
        return dy @ self.W.T


class Tied(Affine):
    """A second name for W, and a transposed view of it, which forward uses as well."""

    def __init__(self, factor=1.0, dtype=np.float64):
        W = np.random.default_rng(0).normal(size=(3, 3)).astype(dtype)
        super().__init__(W, np.ones(3, dtype), factor)
        self.decode = W.T

    def forward(self, x):
        self.y = super().forward(x)
        return self.y @ self.decode

    def backward(self, dy):
        dx = super().backward(dy @ self.params[0])
        self.grads[0] += dy.T @ self.y
        return dx


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [Network, Flat, Tied])
def test_shared_arrays(make, dtype):
    report = check_layer(make(dtype=dtype), x(dtype))
    assert report.verdict == "pass", str(report)
    assert all("complex step" in entry.method for entry in report.entries)
    assert check_layer(make(1.01, dtype), x(dtype)).verdict == "fail"


def test_what_the_outer_lists_hold_is_checked():
    assert check_layer(Network(), x()).entries[1].name == "params[0]"
    assert check_layer(Stale(), x()).verdict == "fail"


def test_the_entries_of_views():
    assert [entry.name for entry in check_layer(Flat(), x()).entries] == ["x", "theta"]


def test_a_duplicate_shares_what_the_original_shares():
    layer = Flat()
    copy = duplicate(layer)
    copy.theta[0] = 7.0
    assert copy.W[0, 0] == 7.0
    assert layer.W[0, 0] != 7.0
    Place((("attribute", "W"),)).write(copy, np.full((3, 2), 2j))
    assert np.array_equal(copy.theta[:6], np.full(6, 2j))
    assert copy.b.dtype == np.complex128
    assert np.shares_memory(copy.W, copy.theta)


def test_views_with_negative_and_wide_strides():
    class Views:
        def __init__(self):
            self.a = np.asfortranarray(np.arange(12.0).reshape(3, 4))
            self.b, self.c = self.a[::-1, ::2], self.a[1]

    layer = Views()
    copy = duplicate(layer)
    for name in "abc":
        assert np.array_equal(getattr(copy, name), getattr(layer, name))
        assert getattr(copy, name).strides == getattr(layer, name).strides
    copy.a[0, 2] = -1.0
    assert copy.b[2, 1] == -1.0


def test_an_array_in_a_tuple():
    class Cached(Flat):
        def forward(self, x):
            self.cache = (x, self.W)
            return super().forward(x)

        def backward(self, dy):
            super().backward(dy)
            return dy @ self.cache[1].T

    used = Cached(dtype=np.float32)
    used.forward(x(np.float32))
    report = check_layer(used, x(np.float32))
    assert report.verdict == "pass"
    assert all("complex step" in entry.method for entry in report.entries)
