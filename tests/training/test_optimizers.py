"""The optimizers as the training loop uses them; their kernels have tests of their own."""

import numpy as np
import pytest

from npvae.training import SGD, Adagrad, Adam
from npvae.training.optimizers import OPTIMIZERS, get_optimizer

FORMULAS = {}


def formula(function):
    FORMULAS[function.__name__] = function
    return function


@formula
def sgd(theta, gradients, rate):
    """Sutskever et al. (2013), equations 1 and 2."""
    velocity = 0
    for g in gradients:
        velocity = 0.9 * velocity - rate * g
        theta = theta + velocity
        yield theta


@formula
def adagrad(theta, gradients, rate):
    """Duchi, Hazan & Singer (2011)."""
    total = 0
    for g in gradients:
        total = total + g**2
        theta = theta - rate * g / (np.sqrt(total) + 1e-10)
        yield theta


@formula
def adam(theta, gradients, rate):
    """Kingma & Ba (2015), algorithm 1."""
    m, v = 0, 0
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield theta


every_optimizer = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


@every_optimizer
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_every_step_is_the_papers(name, dtype, rtol, rng):
    gradients = rng.standard_normal((20, 7)) * np.logspace(-3, 3, 7)
    theta = rng.standard_normal(7)
    expected = FORMULAS[name](theta, gradients, 0.01)
    theta, optimizer = theta.astype(dtype), get_optimizer(name)
    state = optimizer.start(theta)
    for gradient, want in zip(gradients.astype(dtype), expected, strict=True):
        optimizer.update(theta, gradient, state, 0.01)
        np.testing.assert_allclose(theta, want, rtol=rtol, atol=rtol * np.abs(want).max())


@every_optimizer
def test_finds_the_least_of_a_quadratic(name, rng):
    """f(theta) = sum_i c_i (theta_i - target_i)^2 / 2, with curvatures from 0.5 to 5."""
    target, curvature = rng.standard_normal(10), np.linspace(0.5, 5, 10)
    theta, optimizer = np.zeros(10), get_optimizer(name)
    state = optimizer.start(theta)
    rate = {"sgd": 0.05, "adagrad": 0.5, "adam": 0.05}[name]
    for _ in range(2000):
        optimizer.update(theta, curvature * (theta - target), state, rate)
    np.testing.assert_allclose(theta, target, atol=1e-6)


@every_optimizer
def test_the_state_starts_at_zero(name):
    theta = np.ones(5, np.float32)
    state = get_optimizer(name).start(theta)
    assert state.t == 0
    for vector in state.vectors:
        assert vector.dtype == theta.dtype
        np.testing.assert_array_equal(vector, np.zeros(5))


@every_optimizer
def test_the_state_counts_steps_and_gradients_are_left_alone(name):
    theta, gradient = np.ones(5), np.full(5, 0.5)
    optimizer = get_optimizer(name)
    state = optimizer.start(theta)
    for _ in range(3):
        optimizer.update(theta, gradient, state, 0.1)
    assert state.t == 3
    np.testing.assert_array_equal(gradient, np.full(5, 0.5))


@every_optimizer
def test_one_optimizer_may_serve_two_networks(name):
    """It holds no state of its own: a second start is as the first."""
    optimizer = get_optimizer(name)
    results = []
    for _ in range(2):
        theta = np.ones(3)
        state = optimizer.start(theta)
        for _ in range(4):
            optimizer.update(theta, theta**3, state, 0.1)
        results.append(theta)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(momentum=1.0), "momentum must be a number of at least 0 and below 1, got 1.0"),
        (lambda: SGD(momentum=-0.1), "momentum"),
        (lambda: SGD(momentum=float("nan")), "momentum"),
        (lambda: Adagrad(epsilon=0.0), "epsilon must be a positive number, got 0.0"),
        (lambda: Adam(beta1=1.5), "beta1"),
        (lambda: Adam(beta2=-1.0), "beta2"),
        (lambda: Adam(epsilon=-1e-8), "epsilon"),
        (lambda: SGD(momentum=False), "momentum"),
        (lambda: Adam(epsilon=True), "epsilon"),
        (lambda: Adam(beta1="high"), "beta1"),
        (lambda: Adagrad(epsilon=float("inf")), "epsilon"),
    ],
)
def test_numbers_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match="adam, adagrad, sgd, got 'adamw'"):
        get_optimizer("adamw")


@pytest.mark.parametrize("thing", [None, 3, object(), Adam], ids=["None", "number", "object", "class"])
def test_what_is_no_optimizer_is_refused(thing):
    with pytest.raises(ValueError, match=r"optimizer must be a name or an object such as Adam\(\)"):
        get_optimizer(thing)


def test_an_object_is_taken_as_it_is():
    optimizer = Adam(epsilon=1e-4)
    assert get_optimizer(optimizer) is optimizer


@pytest.mark.parametrize("optimizer", [Adam(epsilon=10**30), Adagrad(epsilon=10**30)])
def test_an_epsilon_beyond_int64_is_a_float(optimizer):
    theta = np.ones(3, np.float32)
    optimizer.update(theta, np.ones(3, np.float32), optimizer.start(theta), 0.1)
    np.testing.assert_array_equal(theta, 1)
