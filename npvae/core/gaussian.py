"""Diagonal normal distributions: drawing from them, their density, and their KL divergence.

The encoder describes q(z | x) = N(mu, diag(sigma^2)) by two vectors, mu and
log_var = ln sigma^2. The logarithm may be any real number, so a linear layer can
put it out, and sigma = exp(log_var / 2) is positive whatever it says. No
covariance matrix is stored: off the diagonal it is zero.
"""

from typing import NamedTuple

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))


class ReparameterizeCache(NamedTuple):
    """The standard deviation and the noise."""

    std: np.ndarray  # (N, Z)
    eps: np.ndarray  # (N, Z)


def reparameterize_forward(
    mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, ReparameterizeCache]:
    """Draw z = mu + exp(log_var / 2) * eps, given the noise.

    Parameters
    ----------
    mu, log_var : (N, Z) arrays
    eps : (N, Z) array
        Drawn from N(0, I) by the caller, once for the forward and the backward pass.

    Returns
    -------
    z : (N, Z) array
        A draw from N(mu, exp(log_var)).
    cache : ReparameterizeCache

    Raises
    ------
    ValueError
        The shapes differ. (Noise shared by several samples would go unnoticed.)

    Notes
    -----
    E z = mu and Var z = exp(log_var / 2)^2 = exp(log_var), as eps has mean 0 and variance 1.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, section 2.4.
    """
    if not mu.shape == log_var.shape == eps.shape:
        raise ValueError(
            f"mu, log_var and eps must all be (N, Z), got {mu.shape}, {log_var.shape}, {eps.shape}"
        )
    std = np.exp(log_var / 2)
    return mu + std * eps, ReparameterizeCache(std, eps)


def reparameterize_backward(dz: np.ndarray, cache: ReparameterizeCache) -> tuple[np.ndarray, np.ndarray]:
    """Carry dL/dz (N, Z) back to the parameters of the distribution, mu and log_var.

    Notes
    -----
    A draw has no derivative. But once eps is drawn, z = mu + std * eps is an
    ordinary function of mu and log_var, and eps is a constant of it:

        dz/dmu = 1                                      d_mu      = dz
        dz/dstd = eps,  dstd/dlog_var = std / 2         d_log_var = dz * eps * std / 2

    Averaged over eps this is the gradient of E_q[L(z)], as the distribution of
    eps does not depend on the parameters and the derivative may go inside.
    """
    std, eps = cache
    return dz.copy(), dz * eps * std / 2


class KLCache(NamedTuple):
    """Both arguments."""

    mu: np.ndarray  # (N, Z)
    log_var: np.ndarray  # (N, Z)


def kl_forward(mu: np.ndarray, log_var: np.ndarray) -> tuple[np.ndarray, KLCache]:
    """Compute KL( N(mu, diag(exp(log_var))) || N(0, I) ) of every sample.

    Parameters
    ----------
    mu, log_var : (N, Z) arrays

    Returns
    -------
    kl : (N,) array
        In nats; zero only at mu = 0, log_var = 0.
    cache : KLCache

    Notes
    -----
    In one dimension, with v = log_var and the expectation over z ~ q,

        KL = E[ln q(z) - ln p(z)]
           = E[-(z - mu)^2 / (2 e^v) - v / 2 + z^2 / 2]      the two ln(2 pi) / 2 cancel
           = -1 / 2 - v / 2 + (mu^2 + e^v) / 2               E z^2 = mu^2 + e^v
           = (mu^2 + (e^v - 1) - v) / 2.

    Dimensions are independent, so their KLs add. expm1(v) is e^v - 1, without the
    digits that exp(v) - 1 loses when v is small.

    References
    ----------
    Kingma & Welling (2014), appendix B.
    """
    kl = (mu * mu + np.expm1(log_var) - log_var).sum(axis=1) / 2
    return kl, KLCache(mu, log_var)


def kl_backward(d_kl: np.ndarray, cache: KLCache) -> tuple[np.ndarray, np.ndarray]:
    """Carry dL/dkl (N,) back to mu and log_var, (N, Z) each.

    Notes
    -----
    From KL = (mu^2 + e^v - 1 - v) / 2:  dKL/dmu = mu  and  dKL/dv = (e^v - 1) / 2.
    Both vanish at the prior, mu = 0 and v = 0.
    """
    mu, log_var = cache
    d_kl = d_kl[:, None]  # (N, 1)
    return d_kl * mu, d_kl * np.expm1(log_var) / 2


class LogDensityCache(NamedTuple):
    """The standardised argument and 1 / std."""

    u: np.ndarray  # (N, Z), (z - mu) / std
    inverse_std: np.ndarray  # (N, Z)


def log_density_forward(
    z: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> tuple[np.ndarray, LogDensityCache]:
    """Compute ln N(z; mu, diag(exp(log_var))) of every sample.

    Parameters
    ----------
    z, mu, log_var : (N, Z) arrays

    Returns
    -------
    log_density : (N,) array
        In nats.
    cache : LogDensityCache

    Notes
    -----
    ln N = -(1/2) sum_j [ u_j^2 + log_var_j + ln(2 pi) ]  with  u = (z - mu) / std.
    """
    inverse_std = np.exp(-log_var / 2)
    u = (z - mu) * inverse_std
    log_density = -(u * u + log_var + LOG_2PI).sum(axis=1) / 2
    return log_density, LogDensityCache(u, inverse_std)


def log_density_backward(
    d_log_density: np.ndarray, cache: LogDensityCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry dL/dlog_density (N,) back to z, mu and log_var, (N, Z) each.

    Notes
    -----
    With u = (z - mu) / std:  du/dz = 1 / std = -du/dmu  and  du/dlog_var = -u / 2, so

        dlnN/dz = -u / std,   dlnN/dmu = u / std,   dlnN/dlog_var = (u^2 - 1) / 2.
    """
    u, inverse_std = cache
    d_log_density = d_log_density[:, None]  # (N, 1)
    d_mu = d_log_density * u * inverse_std
    return -d_mu, d_mu, d_log_density * (u * u - 1) / 2
