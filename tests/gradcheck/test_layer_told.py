"""Arrays for which no gradient is found: what is reported, and how `params` names them."""

import numpy as np
import pytest

from npvae.gradcheck import check_layer
from tests.gradcheck.test_layer_parameters import Dense, Sequential, x


class Hidden(Dense):
    """The gradient of W has a name that nobody could guess."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.step = self.__dict__.pop("dW")
        return dx


def test_a_parameter_without_a_gradient_is_no_pass():
    report = check_layer(Hidden(), x())
    assert report.verdict == "inconclusive"
    assert "params={'W': None}" in str(report)
    told = check_layer(Hidden(), x(), params={"W": "step"})
    assert (told.verdict, [entry.name for entry in told.entries]) == ("pass", ["x", "W", "b"])
    assert check_layer(Hidden(2.0), x(), params={"W": "step"}).verdict == "fail"
    assert check_layer(Hidden(), x(), params={"W": None}).verdict == "pass"


def test_constants_are_no_parameters():
    class Normalise:
        def __init__(self):
            self.gamma = np.array([1.0, 2.0, 0.5])
            self.running_mean, self.running_var = np.ones(3), np.full(3, 4.0)
            self.eps, self.unused = 1e-5, np.ones(3)

        def forward(self, x):
            self.x_hat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)
            return self.gamma * self.x_hat

        def backward(self, dy):
            self.dgamma = np.sum(dy * self.x_hat, axis=0)
            return dy * self.gamma / np.sqrt(self.running_var + self.eps)

    report = check_layer(Normalise(), x())
    assert report.verdict == "pass"
    assert "taken as constants: running_mean, running_var, eps" in str(report)


def test_what_was_told_must_be_there():
    for params in ({"W": "dQ"}, {"Q": "dW"}, {"Q": None}):
        with pytest.raises(ValueError, match=r"has no 'd?Q'"):
            check_layer(Dense(), x(), params=params)


def test_a_path_can_be_told():
    report = check_layer(Sequential(1.0), x(), params={"layers[0].W": None, "layers[1].b": "layers[1].db"})
    assert report.verdict == "pass"
    assert "layers[0].W" not in [entry.name for entry in report.entries]


def test_a_forward_that_changes_a_parameter_that_was_told():
    class Shrinks(Dense):
        def forward(self, x):
            self.W *= 0.5
            return super().forward(x)

    report = check_layer(Shrinks(), x(), params={"W": "dW"})
    assert report.verdict == "fail"
    assert "forward changes W" in str(report)


def test_a_state_can_be_told():
    class Keeps(Dense):
        """Each result is multiplied with the one before."""

        def __init__(self):
            super().__init__()
            self.h = np.random.default_rng(0).normal(size=(5, 2))

        def forward(self, x):
            self.before = self.h
            self.h = super().forward(x) * self.before
            return self.h

        def backward(self, dy):
            self.dh = dy
            return super().backward(dy * self.before)

    told = check_layer(Keeps(), x(), params={"h": None})
    assert [entry.name for entry in told.entries] == ["x", "W", "b"]
    assert all(entry.verdict == "pass" for entry in told.entries)
    assert "forward changes h" not in str(told)
    assert "forward changes h" in str(check_layer(Keeps(), x()))
