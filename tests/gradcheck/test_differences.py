import math

import numpy as np
import pytest

from npvae.gradcheck.differences import central_difference, complex_step, rounding_noise

SMOOTH = {
    "exp": (np.exp, 1.0),
    "steep sine": (lambda t: np.sin(1e3 * t), 1e3),
    "steep sigmoid": (lambda t: 1 / (1 + np.exp(-1e4 * t)), 2.5e3),
    "sharp softplus": (lambda t: np.log1p(np.exp(1e4 * t)), 5e3),
    "large": (lambda t: 1e12 * np.tanh(t + 0.5), 1e12 / np.cosh(0.5) ** 2),
    "small": (lambda t: 1e-12 * np.tanh(t + 0.5), 1e-12 / np.cosh(0.5) ** 2),
    "close to a pole": (lambda t: np.log(1e-4 + t), 1e4),
}


def differentiate(phi, noise=None):
    noise = rounding_noise(phi, 1e-7) if noise is None else noise
    with np.errstate(all="ignore"):
        return central_difference(phi, float(phi(0.0)), 1e-3, 1e-9, noise)


@pytest.mark.parametrize("name", SMOOTH)
def test_complex_step_is_exact_to_rounding(name):
    phi, slope = SMOOTH[name]
    with np.errstate(all="ignore"):
        assert complex_step(phi) == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_differences_are_within_their_error_bar(name):
    phi, slope = SMOOTH[name]
    found = differentiate(phi, noise=2.3e-16 * abs(phi(0.0)))
    assert found.jump == 0
    assert abs(found.value - slope) <= found.bar
    assert found.bar <= 1e-5 * abs(slope)
    assert abs(found.value - slope) <= 1e-7 * abs(slope)


def test_complex_step_refuses_a_dropped_imaginary_part():
    with pytest.raises(TypeError, match="real numbers"):
        complex_step(lambda t: np.abs(3 + t))


@pytest.mark.parametrize(
    ("phi", "left", "right"),
    [
        (abs, -1, 1),
        (lambda t: max(t, 0.0), 0, 1),
        (lambda t: max(t, 3 * t) + math.exp(t), 2, 4),
        (lambda t: 1e-5 * abs(t) + math.exp(t), 1 - 1e-5, 1 + 1e-5),
    ],
)
def test_a_kink_shows_its_one_sided_slopes(phi, left, right):
    found = differentiate(phi, noise=2.3e-16)
    assert found.value - found.jump / 2 == pytest.approx(left, abs=1e-7)
    assert found.value + found.jump / 2 == pytest.approx(right, abs=1e-7)
    assert found.bar < 1e-7


@pytest.mark.parametrize("distance", [1e-3, 3e-4, 1e-4, 1e-5, 1e-6])
def test_a_kink_close_by_is_stepped_around(distance):
    found = differentiate(lambda t: max(t - distance, 0.0) + math.sin(t), noise=2.3e-16)
    assert found.jump == 0
    assert abs(found.value - 1) <= found.bar
    assert found.bar < 1e-6


def test_differences_without_finite_values_say_so():
    found = differentiate(lambda t: math.nan, noise=0.0)
    assert math.isnan(found.value)
    assert found.bar == math.inf


@pytest.mark.parametrize("size", [1e-12, 1e-7, 1e-3])
def test_the_noise_is_measured(size):
    rng = np.random.default_rng(0)
    estimates = [rounding_noise(lambda t: math.exp(t) + size * rng.normal(), 1e-7) for _ in range(50)]
    assert 0.3 * size < np.median(estimates) < 3 * size


def test_rounding_to_float32_is_seen_as_noise():
    found = rounding_noise(lambda t: float(np.float32(math.exp(t))), 1e-6)
    assert 1e-9 < found < 3e-7


def test_a_kink_is_not_taken_for_noise():
    assert rounding_noise(abs, 1e-6) < 1e-20
    assert rounding_noise(lambda t: max(t - 3e-6, 0.0), 1e-6) == 0
