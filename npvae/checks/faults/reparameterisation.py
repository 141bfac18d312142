"""A draw from a normal distribution: z = mu + exp(log_var / 2) eps, with the noise eps as an argument.

d_mu = dz,    d_log_var = dz eps exp(log_var / 2) / 2
"""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault


def draw_forward(mu: Array, log_var: Array, eps: Array) -> tuple[Array, Cache]:
    """Compute z, which has the shape of mu, log_var and eps."""
    return mu + np.exp(log_var / 2) * eps, (log_var, eps)


def draw_backward(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Return d_mu and d_log_var."""
    log_var, eps = cache
    return dz.copy(), dz * eps * np.exp(log_var / 2) / 2


DRAW = Pair(draw_forward, draw_backward)
WRT = (0, 1)  # the noise gets no gradient


def draw_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw mu, log_var and eps, (3, n) each."""
    return [rng.standard_normal((3, n)) for _ in range(3)]


@fault("reparameterisation", DRAW, draw_args, wrt=WRT)
def draw_half_forgotten(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Differentiate exp(log_var / 2) to itself and forget the factor 1/2 from the chain rule."""
    log_var, eps = cache
    return dz.copy(), dz * eps * np.exp(log_var / 2)


@fault("reparameterisation", DRAW, draw_args, wrt=WRT)
def draw_exp_forgotten(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Treat log_var / 2 as if it were the standard deviation itself."""
    _, eps = cache
    return dz.copy(), dz * eps / 2


@fault("reparameterisation", DRAW, draw_args, wrt=WRT)
def draw_variance_for_deviation(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Write exp(log_var), the variance, where the standard deviation belongs."""
    log_var, eps = cache
    return dz.copy(), dz * eps * np.exp(log_var) / 2


@fault("reparameterisation", DRAW, draw_args, wrt=WRT)
def draw_noise_forgotten(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Reason that noise has no gradient, and leave out the factor eps."""
    log_var, _ = cache
    return dz.copy(), dz * np.exp(log_var / 2) / 2


@fault("reparameterisation", DRAW, draw_args, wrt=WRT)
def draw_noise_of_the_first_row(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Keep one row of the noise, and let broadcasting share it among all samples."""
    log_var, eps = cache
    return dz.copy(), dz * eps[:1] * np.exp(log_var / 2) / 2


FAULTS = (
    draw_half_forgotten,
    draw_exp_forgotten,
    draw_variance_for_deviation,
    draw_noise_forgotten,
    draw_noise_of_the_first_row,
)
