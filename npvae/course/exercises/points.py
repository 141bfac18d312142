"""The points at which the exercises are checked. No two axes of one have the same length."""

from collections.abc import Callable

import numpy as np

from npvae.course.exercises.exercise import Array

N, IN, OUT = 5, 4, 3  # samples, inputs and outputs of a dense layer
Z, D, K = 3, 4, 6  # latent dimensions, pixels, draws
N_VAE, D_VAE, H_VAE, Z_VAE = 4, 7, 5, 3  # samples, pixels, hidden units, latent dimensions of a whole VAE


def normal(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], list[Array]]:
    """Return a function that draws arrays of these shapes from N(0, 1)."""
    return lambda rng: [rng.standard_normal(shape) for shape in shapes]


def with_a_zero(rng: np.random.Generator) -> list[Array]:
    """Draw x, with a zero among it, where max(x, 0) has a kink."""
    x = rng.standard_normal((N, IN))
    x[0, 0] = 0.0
    return [x]


def probabilities_and_pixels(rng: np.random.Generator) -> list[Array]:
    """Draw probabilities away from 0 and 1, and pixels."""
    return [rng.uniform(0.1, 0.9, (N, D)), rng.random((N, D))]


def logits_and_pixels(rng: np.random.Generator) -> list[Array]:
    """Draw logits and pixels."""
    return [2 * rng.standard_normal((N, D)), rng.random((N, D))]


def pixels_mean_and_noise(rng: np.random.Generator) -> list[Array]:
    """Draw pixels, a decoder's output, and the logarithm of a variance."""
    return [rng.random((N, D)), rng.standard_normal((N, D)), rng.uniform(0.3, 0.8, 1)]


def extreme_logits() -> list[Array]:
    """Return logits whose exponentials overflow, and pixels."""
    return [np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 40.0]]), np.array([[1.0, 0.0, 1.0]] * 2)]


def extreme_log_weights() -> list[Array]:
    """Return logarithms of weights whose exponentials overflow or vanish."""
    return [np.array([[-1000.0, -1001.0, -1002.0], [1000.0, 998.0, 999.0]])]
