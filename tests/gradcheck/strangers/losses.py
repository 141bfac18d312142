"""Losses: which input has a gradient, and what backward takes."""

import random

import numpy as np

from npvae.gradcheck import check_gradient
from tests.gradcheck.strangers.stranger import Stranger, as_layer, draw, one_hot, softmax

LABELS = np.array([0, 3, 1, 1, 2])
Y, P = one_hot(LABELS, 4), softmax(draw(5, 4, seed=3))
A, B = draw(5, 4, seed=1), draw(5, 4, seed=2)


class BackwardOfLabel:
    """The label is passed twice, as an argument of the same name."""

    def forward(self, prediction, label):
        self.p = prediction
        return -np.sum(label * np.log(prediction))

    def backward(self, label):
        return -label / self.p


class BackwardOfLabelTwice(BackwardOfLabel):
    def backward(self, label):
        return -2 * label / self.p


class BackwardOfY(BackwardOfLabel):
    """The label has another name in backward."""

    def backward(self, y):
        return -y / self.p


class BackwardOfYTwice(BackwardOfLabel):
    def backward(self, y):
        return -2 * y / self.p


class BackwardOfBoth:
    """A loss without a state."""

    def forward(self, prediction, label):
        return -np.sum(label * np.log(prediction))

    def backward(self, prediction, label):
        return -label / prediction


class BackwardOfBothTransposed(BackwardOfBoth):
    def backward(self, prediction, label):
        return -label / prediction[::-1]


class TargetFirst:
    """scikit-learn's order, (y_true, y_pred), here for a layer."""

    def forward(self, y_true, y_pred):
        self.d = y_pred - y_true
        return np.mean(self.d**2)

    def backward(self):
        return 2 * self.d / self.d.size


class TargetFirstByRows(TargetFirst):
    def backward(self):
        return 2 * self.d / len(self.d)


class DeclaredTarget:
    """Neither name says which input is the target."""

    def forward(self, left, right):
        self.d = right - left
        return np.sum(self.d**2)

    def backward(self):
        return 2 * self.d


class DeclaredTargetSign(DeclaredTarget):
    def backward(self):
        return -2 * self.d


class ProbabilitiesAndLoss:
    """Softmax and cross-entropy in one, as (probabilities, loss); backward() takes nothing."""

    def forward(self, x, labels):
        self.p, self.labels = softmax(x), labels
        return self.p, -np.mean(np.log(self.p[np.arange(len(x)), labels]))

    def backward(self):
        d = self.p.copy()
        d[np.arange(len(d)), self.labels] -= 1
        return d / len(d)


class ProbabilitiesAndLossSummed(ProbabilitiesAndLoss):
    def backward(self):
        return len(self.p) * super().backward()


def negative_samples(v, U):
    """Skip-gram with negative samples: value and gradients at once, with noise of its own."""
    k = [random.randrange(5) for _ in range(6)]
    s = 1 / (1 + np.exp(-(U[k] @ v)))
    dU = np.zeros_like(U)
    np.add.at(dU, k, np.outer(s, v))
    return np.sum(np.log(1 + np.exp(U[k] @ v))), s @ U[k], dU


def negative_samples_overwritten(v, U):
    k = [random.randrange(5) for _ in range(6)]
    s = 1 / (1 + np.exp(-(U[k] @ v)))
    dU = np.zeros_like(U)
    dU[k] = np.outer(s, v)  # an index that is drawn twice counts once
    return np.sum(np.log(1 + np.exp(U[k] @ v))), s @ U[k], dU


class Sampler:
    """An object that draws, given as an argument."""

    def __init__(self):
        self.rng = np.random.RandomState(0)


def monte_carlo(w, sampler):
    e = sampler.rng.standard_normal((8, 3))
    return np.mean((e @ w) ** 2), 2 * e.T @ (e @ w) / 8


def monte_carlo_one_factor(w, sampler):
    e = sampler.rng.standard_normal((8, 3))
    return np.mean((e @ w) ** 2), e.T @ (e @ w) / 8


STRANGERS = (
    Stranger(
        "backward(label)", as_layer((P, Y)), BackwardOfLabel, {"a factor too many": BackwardOfLabelTwice}
    ),
    Stranger(
        "backward(y) of forward(prediction, label)",
        as_layer((P, Y)),
        BackwardOfY,
        {"a factor too many": BackwardOfYTwice},
    ),
    Stranger(
        "backward(prediction, label)",
        as_layer((P, Y)),
        BackwardOfBoth,
        {"rows in another order": BackwardOfBothTransposed},
    ),
    Stranger("forward(y_true, y_pred)", as_layer((A, B)), TargetFirst, {"mean over rows": TargetFirstByRows}),
    Stranger(
        "a target that params declares",
        as_layer((A, B), params={"left": None}),
        DeclaredTarget,
        {"the sign": DeclaredTargetSign},
    ),
    Stranger(
        "(probabilities, loss) and backward()",
        as_layer((A, LABELS)),
        ProbabilitiesAndLoss,
        {"sum for mean": ProbabilitiesAndLossSummed},
    ),
    Stranger(
        "(value, gradients) that draw noise",
        lambda f: check_gradient(f, None, (draw(3), draw(5, 3))),
        negative_samples,
        {"assigned, not added": negative_samples_overwritten},
    ),
    Stranger(
        "a generator in an argument",
        lambda f: check_gradient(f, None, (draw(3), Sampler())),
        monte_carlo,
        {"a factor forgotten": monte_carlo_one_factor},
    ),
)
