"""The exponential and the logarithm of our own, over the whole range of floats."""

import numpy as np
import pytest
from scipy import special

from tests.kernels.cases import COMPILED, both_dtypes, both_twins
from tests.oracles import exact_sigmoid, exact_softplus


def grid(dtype):
    """Both signs, from far below one rounding of 1 to where everything has saturated; dense in between."""
    parts = np.logspace(-30, 4, 5000), np.linspace(0, 120, 20_000), np.linspace(0, 800, 20_000)
    sizes = np.concatenate(parts)
    return np.concatenate([-sizes, sizes, [-np.inf, np.inf]]).astype(dtype)[None, :]


def assert_within(result, exact, scale, n_ulps):
    """Compare to a few roundings of `scale`; below the smallest normal number there are no digits left."""
    info = np.finfo(result.dtype)
    error = np.abs(result.astype(np.longdouble) - exact)
    allowed = n_ulps * info.eps * np.abs(scale) + 2 * info.smallest_normal
    bad = np.flatnonzero(~(error <= allowed))
    assert bad.size == 0, [(result.flat[k], exact.flat[k]) for k in bad[:3]]


@both_twins
@both_dtypes
def test_sigmoid(twin, dtype):
    t = grid(dtype)
    y, _ = twin.sigmoid_forward(t)
    assert y.dtype == dtype
    exact = exact_sigmoid(t)
    assert_within(y, exact, exact, 4)


@both_twins
@both_dtypes
def test_softplus(twin, dtype):
    t = grid(dtype)
    with np.errstate(invalid="raise"):
        y, _ = twin.softplus_forward(t)
    assert y.dtype == dtype
    finite = np.isfinite(t)
    exact = exact_softplus(t[finite])
    assert_within(y[finite], exact, exact, 4)
    assert y[0, -1] == np.inf
    assert abs(y[0, -2]) <= 2 * np.finfo(dtype).smallest_normal


@both_twins
@both_dtypes
@pytest.mark.parametrize("x", [0, 1])
def test_bernoulli_of_binary_data(twin, dtype, x):
    """Accurate relative to the result itself, however small: ln(1 - p) where p is a millionth."""
    logits = grid(dtype)[:, :-2].T
    log_likelihood, residual = twin.bernoulli_forward(np.full_like(logits, x), logits)
    assert log_likelihood.dtype == residual.dtype == dtype
    signed = (2 * x - 1) * logits.astype(np.longdouble)
    exact = special.log_expit(signed)[:, 0]
    assert_within(log_likelihood, exact, exact, 4)
    assert_within(residual, x - exact_sigmoid(logits), np.maximum(x, exact_sigmoid(logits)), 4)


@both_twins
@both_dtypes
@pytest.mark.parametrize("x", [0.3, 0.999])
def test_bernoulli_of_grey_data(twin, dtype, x):
    logits = grid(dtype)[:, :-2].T
    xs = np.full_like(logits, x)
    log_likelihood, residual = twin.bernoulli_forward(xs, logits)
    exact_x, exact_logits = xs.astype(np.longdouble), logits.astype(np.longdouble)
    parts = exact_x * special.log_expit(exact_logits), (1 - exact_x) * special.log_expit(-exact_logits)
    scale = np.abs(exact_x * exact_logits) + exact_softplus(exact_logits)
    assert_within(log_likelihood, sum(parts)[:, 0], scale[:, 0], 4)
    assert_within(residual, exact_x - exact_sigmoid(logits), np.ones_like(exact_logits), 4)


@both_twins
@both_dtypes
def test_bernoulli_where_the_data_was_impossible(twin, dtype):
    """An infinite logit against the data: minus infinity, and a finite gradient."""
    log_likelihood, residual = twin.bernoulli_forward(np.array([[1]], dtype), np.array([[-np.inf]], dtype))
    assert log_likelihood[0] == -np.inf
    assert abs(residual[0, 0] - 1) <= np.finfo(dtype).eps


@both_dtypes
def test_sum_over_many_features(dtype, rng):
    """784 terms, as an image has; the error of a sum is a few roundings of the sum of their sizes."""
    x, logits = rng.uniform(size=(2, 50, 784)).astype(dtype)
    log_likelihood, _ = COMPILED.bernoulli_forward(x, 8 * logits - 4)
    exact_x, exact_logits = x.astype(np.longdouble), (8 * logits - 4).astype(np.longdouble)
    exact = exact_x * special.log_expit(exact_logits) + (1 - exact_x) * special.log_expit(-exact_logits)
    exact = exact.sum(axis=1)
    assert_within(log_likelihood, exact, exact, 30)


@both_twins
@both_dtypes
def test_monotone_where_it_matters(twin, dtype):
    """No step back by more than a rounding where one range of the exponential ends and the next begins."""
    t = np.sort(grid(dtype)[:, :-2])
    y = twin.sigmoid_forward(t)[0][0]
    assert np.all(np.diff(y) >= -2 * np.finfo(dtype).eps * y[1:])
    assert np.all((y >= 0) & (y <= 1))
