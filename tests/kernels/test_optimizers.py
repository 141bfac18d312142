"""The optimizers' kernels against their papers' formulas."""

import numpy as np
import pytest

from tests import oracles
from tests.kernels.cases import both_dtypes, both_twins

N_STEPS, SIZE = 12, 40


@pytest.fixture
def start(rng):
    return rng.standard_normal(SIZE)


@pytest.fixture
def gradients(rng):
    """Of sizes from 1e-6 to 1e3, as the entries of a network's gradient differ."""
    return rng.standard_normal((N_STEPS, SIZE)) * np.logspace(-6, 3, SIZE)


def assert_close(theta, expected, dtype):
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(theta, expected, rtol=tolerance, atol=tolerance)


@both_dtypes
@both_twins
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd(twin, dtype, momentum, start, gradients):
    theta, velocity = start.astype(dtype), np.zeros(SIZE, dtype)
    for gradient in gradients.astype(dtype):
        twin.sgd(theta, gradient, velocity, 1e-3, momentum)
    assert_close(theta, oracles.sgd_trajectory(start, gradients, 1e-3, momentum), dtype)


@both_dtypes
@both_twins
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_adagrad(twin, dtype, epsilon, start, gradients):
    theta, squares = start.astype(dtype), np.zeros(SIZE, dtype)
    for gradient in gradients.astype(dtype):
        twin.adagrad(theta, gradient, squares, 0.02, epsilon)
    assert_close(theta, oracles.adagrad_trajectory(start, gradients, 0.02, epsilon), dtype)


@both_dtypes
@both_twins
@pytest.mark.parametrize("epsilon", [1e-8, 1e-4])
def test_adam(twin, dtype, epsilon, start, gradients):
    theta, m, v = start.astype(dtype), np.zeros(SIZE, dtype), np.zeros(SIZE, dtype)
    for t, gradient in enumerate(gradients.astype(dtype), start=1):
        twin.adam(theta, gradient, m, v, 0.01, 0.9, 0.999, epsilon, t)
    assert_close(theta, oracles.adam_trajectory(start, gradients, 0.01, 0.9, 0.999, epsilon), dtype)


@both_dtypes
@both_twins
def test_first_step_of_adam_is_the_learning_rate(twin, dtype, start):
    """Whatever the gradient's size: m_hat / sqrt(v_hat) is its sign."""
    theta, gradient = start.astype(dtype), np.logspace(-3, 6, SIZE).astype(dtype)
    gradient[::2] *= -1
    twin.adam(theta, gradient, np.zeros(SIZE, dtype), np.zeros(SIZE, dtype), 0.25, 0.9, 0.999, 1e-8, 1)
    np.testing.assert_allclose(start - theta, 0.25 * np.sign(gradient), rtol=2e-5)


@both_twins
def test_adam_after_very_many_steps(twin):
    """1 - beta^t is 1 by then; the step number is a million, not a float's overflow."""
    theta, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    twin.adam(theta, ones, ones.copy(), ones.copy(), 0.5, 0.9, 0.999, 0.0, 10**6)
    np.testing.assert_allclose(theta, -0.5, rtol=1e-6)


@both_dtypes
@both_twins
def test_a_zero_gradient_moves_nothing(twin, dtype, start):
    for name, extra in [("sgd", (0.9,)), ("adagrad", (1e-8,)), ("adam", (0.9, 0.999, 1e-8, 1))]:
        theta, zeros = start.astype(dtype), [np.zeros(SIZE, dtype) for _ in range(3)]
        state = zeros[1:] if name == "adam" else zeros[1:2]
        getattr(twin, name)(theta, zeros[0], *state, 0.1, *extra)
        np.testing.assert_array_equal(theta, start.astype(dtype))
