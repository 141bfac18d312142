"""The functions of single numbers that compiled loops use, against float64 over all of float32."""

import numba
import numpy as np
import pytest
from scipy import special

from npvae.kernels import elementwise

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda t: np.logaddexp(0, t),
}
TINY = np.finfo(np.float32).tiny


@pytest.fixture(scope="module")
def compiled():
    """Each function as a compiled loop over a vector, as it is used."""

    def looped(function):
        @numba.njit(error_model="numpy", fastmath={"contract", "nsz", "arcp", "afn"})
        def loop(t):
            y = np.empty_like(t)
            for i in range(t.size):
                y[i] = function(t[i])
            return y

        return loop

    return {name: looped(getattr(elementwise, name)) for name in EXACT}


def every_size():
    """Both signs of numbers from the smallest normal one to the largest, and many near the switches."""
    bits = np.arange(0x00800000, 0x7F800000, 4001, dtype=np.uint32).view(np.float32)
    near = np.concatenate([np.linspace(-2, 2, 40_001), np.linspace(-110, 110, 40_001)]).astype(np.float32)
    return np.concatenate([bits, -bits, near, [0.0]]).astype(np.float32)


@pytest.mark.parametrize("name", EXACT)
def test_accurate_to_a_few_roundings(name, compiled):
    t = every_size()
    y = compiled[name](t)
    assert y.dtype == np.float32
    with np.errstate(over="ignore"):
        right = EXACT[name](t.astype(np.float64))
        overflow = np.abs(right) > np.finfo(np.float32).max
    np.testing.assert_array_equal(y[overflow], np.full(overflow.sum(), np.inf, np.float32))
    t, y, right = t[~overflow], y[~overflow].astype(np.float64), right[~overflow]
    # exp(-87) = 1e-38 takes the place of smaller ones in sigmoid and softplus.
    error = np.abs(y - right) - 2 * TINY
    assert np.max(error / np.maximum(np.abs(right), TINY)) < 6 * np.finfo(np.float32).eps


@pytest.mark.parametrize("name", EXACT)
def test_nan_and_infinity(name, compiled):
    ends = compiled[name](np.array([np.nan, np.inf, -np.inf], np.float32))
    assert np.isnan(ends[0])
    np.testing.assert_allclose(ends[1:], EXACT[name](np.array([np.inf, -np.inf])), atol=2 * TINY)
