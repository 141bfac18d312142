"""Where a value and its gradient are zero or nearly so, terms of ordinary size have cancelled.

Rounding of those terms is all that is left there; correct code must not be failed for it.
"""

import numpy as np
import pytest

from npvae.gradcheck import check_gradient, check_network, check_vjp
from tests.gradcheck.functions import draw

SEEDS = pytest.mark.parametrize("seed", range(6))
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def confident(gap, dtype, seed):
    """Logits (6, 4) with the right class ahead by a gap, and the one-hot targets."""
    targets = np.eye(4)[np.random.default_rng(seed).integers(4, size=6)]
    return [(gap * targets + 0.3 * draw(6, 4, seed=seed)).astype(dtype), targets.astype(dtype)]


def cross_entropy(z, t):
    p = softmax(z)
    return -np.sum(t * np.log(p)) / z.dtype.type(len(z)), (p, t)


def cross_entropy_backward(dy, cache):
    p, t = cache
    return dy * (p - t) / p.dtype.type(len(p))


def bernoulli(z, t):
    return np.sum(np.log1p(np.exp(-z.real * np.sign(z.real))) + np.where(z.real > 0, z, 0) - t * z), (z, t)


def kl(mu, log_var):
    return 0.5 * np.sum(mu**2 + np.exp(log_var) - log_var - 1), (mu, log_var)


def kl_backward(dy, cache):
    mu, log_var = cache
    return dy * mu, dy * 0.5 * (np.exp(log_var) - 1)


@SEEDS
@DTYPES
@pytest.mark.parametrize("gap", [5, 10, 15, 20, 30])
def test_cross_entropy_of_confident_predictions(gap, dtype, seed):
    args = confident(gap, dtype, seed)
    report = check_vjp(cross_entropy, cross_entropy_backward, args, wrt=["z"], seed=seed)
    assert report.verdict != "fail", str(report)
    if gap == 5:
        assert report.verdict == "pass", str(report)
        wrong = check_vjp(
            cross_entropy, lambda dy, c: 1.01 * cross_entropy_backward(dy, c), args, wrt=["z"], seed=seed
        )
        assert wrong.verdict == "fail"


@SEEDS
@DTYPES
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-4, 1e-6])
def test_the_kl_divergence_close_to_the_prior(size, dtype, seed):
    args = [(size * draw(5, 3, seed=seed + k)).astype(dtype) for k in (0, 50)]
    report = check_vjp(kl, kl_backward, args, seed=seed)
    assert report.verdict in ("pass", "inconclusive"), str(report)
    if size >= 1e-3 and dtype is np.float64:
        assert report.verdict == "pass", str(report)

        def sign(dy, cache):
            return dy * cache[0], -kl_backward(dy, cache)[1]

        assert check_vjp(kl, sign, args, seed=seed).verdict == "fail"


@SEEDS
@DTYPES
@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-8, 1e-5, 1e-2])
def test_a_regression_close_to_an_exact_fit(off, dtype, seed):
    X, W = draw(20, 6, seed=seed).astype(dtype), draw(6, 3, seed=seed + 50).astype(dtype)
    T = X @ W
    point = (W + off * draw(6, 3, seed=seed + 99)).astype(dtype)

    def f(W):
        return np.sum((X @ W - T) ** 2)

    def gradient(W):
        return 2 * X.T @ (X @ W - T)

    report = check_gradient(f, gradient, point, seed=seed)
    assert report.verdict in ("pass", "inconclusive"), str(report)
    if off == 1e-2:
        assert report.verdict == "pass", str(report)
        assert check_gradient(f, lambda W: gradient(W) / 2, point, seed=seed).verdict == "fail"


@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-7, 1e-4])
@SEEDS
def test_half_a_gradient_close_to_a_minimum_never_passes(distance, seed):
    w = 2 + distance * draw(4, seed=seed)

    def gradient(w):
        return 6 * (3 * w - 6)

    right = check_gradient(lambda w: np.sum((3 * w - 6) ** 2), gradient, w, seed=seed)
    assert right.verdict in ("pass", "inconclusive"), str(right)
    if distance:
        wrong = check_gradient(lambda w: np.sum((3 * w - 6) ** 2), lambda w: gradient(w) / 2, w, seed=seed)
        assert not wrong.passed, str(wrong)


SUMS_TO_NOTHING = {
    "probabilities": lambda z: np.sum(softmax(z)) - len(z),
    "centred": lambda z: np.sum(z - z.mean()),
    "a function and itself": lambda z: np.sum(np.tanh(z) - np.sinh(z) / np.cosh(z)),
}


@pytest.mark.parametrize("name", SUMS_TO_NOTHING)
@SEEDS
def test_constants_that_are_zero_but_for_rounding(name, seed):
    report = check_gradient(SUMS_TO_NOTHING[name], np.zeros_like, draw(5, 3, seed=seed), seed=seed)
    assert report.verdict != "fail", str(report)
    wrong = check_gradient(SUMS_TO_NOTHING[name], np.ones_like, draw(5, 3, seed=seed), seed=seed)
    assert wrong.verdict == "fail"


class Fitted:
    """A layer of tanh with a squared error."""

    def loss_and_grad(self, params, x, t):
        h = np.tanh(x @ params["U"])
        residual = h @ params["V"] - t
        dh = residual @ params["V"].T * (1 - h**2)
        return np.sum(residual**2) / 2, {"U": x.T @ dh, "V": h.T @ residual}


@SEEDS
@DTYPES
def test_a_network_that_fits_exactly(dtype, seed):
    params = {"U": draw(4, 5, seed=seed).astype(dtype), "V": draw(5, 2, seed=seed + 50).astype(dtype)}
    x = draw(8, 4, seed=seed + 99).astype(dtype)
    t = np.tanh(x @ params["U"]) @ params["V"]
    assert check_network(Fitted(), params, x, t, seed=seed).verdict != "fail"


def solve(a, b):
    x = np.linalg.solve(a, b)
    return x, (a, x)


def solve_backward(dy, cache):
    a, x = cache
    db = np.linalg.solve(a.T, dy)
    return -np.outer(db, x), db


@pytest.mark.parametrize("seed", range(48))
def test_equations_close_to_singular(seed):
    """Next to zero a pivot takes few values, so that rounding may change nothing; differences see a kink."""
    rng = np.random.default_rng(seed)
    n = 2 + seed % 6
    u, s, v = np.linalg.svd(rng.standard_normal((n, n)))
    s[-1] = 1e-8 * s[0]
    args = [u * s @ v, rng.standard_normal(n)]
    assert check_vjp(solve, solve_backward, args, seed=seed).verdict != "fail"


def test_a_small_error_of_equations_close_to_singular():
    args = [np.diag([1.0, 2.0, 1e-8]) + 0.1 * np.triu(np.ones((3, 3)), 1), draw(3)]

    def slightly_off(dy, cache):
        da, db = solve_backward(dy, cache)
        return da, 1.00001 * db

    assert check_vjp(solve, solve_backward, args).verdict != "fail"
    assert check_vjp(solve, slightly_off, args).verdict == "fail"


def test_bars_hold_against_more_digits():
    """The complex step's error bar covers its distance from extended precision."""
    z, t = confident(12, np.float64, 0)
    report = check_vjp(cross_entropy, cross_entropy_backward, [z, t], wrt=["z"])
    entry = report.entries[0]
    wide = z.astype(np.longdouble)
    exact = cross_entropy_backward(np.longdouble(1), (softmax(wide), t.astype(np.longdouble)))
    scale = entry.analytic / float(exact[entry.index])  # the upstream gradient
    assert abs(entry.numeric - scale * float(exact[entry.index])) <= entry.tolerance
