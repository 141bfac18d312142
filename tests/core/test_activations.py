import numpy as np
import pytest
from scipy import special

from npvae.core.activations import (
    ACTIVATIONS,
    get_activation,
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
)

FORMULAS = {
    "identity": lambda t: t,
    "relu": lambda t: np.maximum(t, 0),
    "leaky_relu": lambda t: np.where(t > 0, t, 0.01 * t),
    "tanh": lambda t: np.expm1(2 * np.clip(t, -300, 300)) / (np.exp(2 * np.clip(t, -300, 300)) + 1),
    "sigmoid": special.expit,
    "softplus": lambda t: -special.log_expit(-t),
}
DERIVATIVES = {
    "identity": np.ones_like,
    "relu": lambda t: (t > 0) * 1.0,
    "leaky_relu": lambda t: np.where(t > 0, 1, 0.01),
    "tanh": lambda t: 1 / np.cosh(np.clip(t, -300, 300)) ** 2,
    "sigmoid": lambda t: special.expit(t) * special.expit(-t),
    "softplus": special.expit,
}
T = np.array([[-1000.0, -40, -3, -1e-8, 0], [1e-8, 0.7, 3, 40, 1000]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_equals_its_formula(name, dtype):
    y, _ = ACTIVATIONS[name].forward(T.astype(dtype))
    assert y.dtype == dtype
    eps = np.finfo(dtype).eps
    expected = FORMULAS[name](T.astype(dtype).astype(np.float64))
    np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=max(eps * 1e-8, np.finfo(dtype).tiny))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_equals_the_derivatives_formula(name, dtype, rng):
    dy = rng.standard_normal(T.shape).astype(dtype)
    _, cache = ACTIVATIONS[name].forward(T.astype(dtype))
    da = ACTIVATIONS[name].backward(dy, cache)
    assert da.dtype == dtype
    np.testing.assert_allclose(da, dy * DERIVATIVES[name](T), atol=8 * np.finfo(dtype).eps)


def test_derivative_of_softplus_keeps_its_digits_where_it_is_small():
    t = np.array([[-30.0, -300.0]])
    _, cache = ACTIVATIONS["softplus"].forward(t)
    np.testing.assert_allclose(
        ACTIVATIONS["softplus"].backward(np.ones((1, 2)), cache), np.exp(t), rtol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_stays_nan(name, dtype):
    a, dy = np.zeros((2, 3), dtype), np.ones((2, 3), dtype)
    a[0, 1] = dy[1, 2] = np.nan
    y, cache = ACTIVATIONS[name].forward(a)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(a))
    # Left of zero relu's gradient is 0, whatever comes from above; here it is asked right of zero.
    _, cache = ACTIVATIONS[name].forward(np.ones((2, 3), dtype))
    np.testing.assert_array_equal(np.isnan(ACTIVATIONS[name].backward(dy, cache)), np.isnan(dy))


@pytest.mark.parametrize("forward", [relu_forward, leaky_relu_forward])
def test_at_the_kink_the_slope_is_the_left_one(forward):
    backward, slope = (relu_backward, 0) if forward is relu_forward else (leaky_relu_backward, 0.01)
    _, cache = forward(np.zeros((1, 2)))
    np.testing.assert_array_equal(backward(np.array([[3.0, -5.0]]), cache), [[3 * slope, -5 * slope]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_complex_number_counts_by_its_real_part(name):
    a = np.array([[-2.0, -0.5, 0.5, 2.0]])
    y, _ = ACTIVATIONS[name].forward(a + 1e-30j)
    np.testing.assert_allclose(y.real, FORMULAS[name](a), rtol=1e-14)
    np.testing.assert_allclose(y.imag / 1e-30, DERIVATIVES[name](a), rtol=1e-14)


@pytest.mark.parametrize("slope", [0, -0.1, np.nan])
def test_slope_must_be_positive(slope):
    with pytest.raises(ValueError, match="slope must be positive"):
        leaky_relu_forward(np.ones((1, 1)), slope)


def test_slope_is_used_in_both_directions():
    leaky = get_activation("leaky_relu", negative_slope=0.25)
    y, cache = leaky.forward(np.array([[-8.0, 8.0]]))
    np.testing.assert_array_equal(y, [[-2, 8]])
    np.testing.assert_array_equal(leaky.backward(np.array([[1.0, 1.0]]), cache), [[0.25, 1]])


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity", "softplus"}))
def test_upstream_gradient_of_another_shape_is_refused(name):
    _, cache = ACTIVATIONS[name].forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match="shape"):
        ACTIVATIONS[name].backward(np.ones((5, 4)), cache)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_changes_none_of_its_inputs_and_shares_nothing_with_them(name, rng):
    dy = rng.standard_normal((4, 3))
    y, cache = ACTIVATIONS[name].forward(rng.standard_normal((4, 3)))
    before = dy.copy(), y.copy()
    da = ACTIVATIONS[name].backward(dy, cache)
    np.testing.assert_array_equal(dy, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert not np.shares_memory(da, dy)
    assert not np.shares_memory(da, y)


def test_unknown_name_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match=r"identity, relu, leaky_relu, tanh, sigmoid, softplus, got 'swish'"):
        get_activation("swish")
