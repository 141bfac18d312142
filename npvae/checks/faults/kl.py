"""The divergence KL(N(mu, exp(log_var)) || N(0, 1)), averaged over N samples and multiplied by beta.

KL = beta / N sum_nz (mu^2 + exp(v) - 1 - v) / 2  with v = log_var, so

    d_mu = beta mu / N,    d_log_var = beta (exp(v) - 1) / (2 N).
"""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair, fault

BETA = 4.0


def kl_forward(mu: Array, log_var: Array) -> tuple[Array, Cache]:
    """Compute the KL term of the loss: a scalar."""
    kl = BETA * np.sum(mu**2 + np.exp(log_var) - 1 - log_var) / (2 * len(mu))
    return kl, (mu, log_var)


def kl_backward(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Return d_mu and d_log_var."""
    mu, log_var = cache
    d_terms = BETA * d_kl / len(mu)
    return d_terms * mu, d_terms * (np.exp(log_var) - 1) / 2


KL = Pair(kl_forward, kl_backward)


def kl_args(rng: np.random.Generator, n: int) -> list[Array]:
    """Draw mu and log_var, (3, n) each."""
    return [rng.standard_normal((3, n)), rng.standard_normal((3, n))]


@fault("KL", KL, kl_args)
def kl_half_forgotten(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Differentiate exp(log_var) - log_var with care, and lose the factor 1/2 in front of it."""
    mu, log_var = cache
    d_terms = BETA * d_kl / len(mu)
    return d_terms * mu, d_terms * (np.exp(log_var) - 1)


@fault("KL", KL, kl_args)
def kl_exp_forgotten(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Take a formula that a paper writes in terms of the variance, and insert log_var for the variance."""
    mu, log_var = cache
    d_terms = BETA * d_kl / len(mu)
    return d_terms * mu, d_terms * (log_var - 1) / 2


@fault("KL", KL, kl_args)
def kl_mu_sign(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Copy the ELBO's term -mu^2 / 2 into a loss, which is the negative ELBO."""
    mu, log_var = cache
    d_terms = BETA * d_kl / len(mu)
    return -d_terms * mu, d_terms * (np.exp(log_var) - 1) / 2


@fault("KL", KL, kl_args)
def kl_log_var_sign(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Copy the ELBO's (1 - exp(log_var)) / 2, and flip the sign of mu's term only."""
    mu, log_var = cache
    d_terms = BETA * d_kl / len(mu)
    return d_terms * mu, d_terms * (1 - np.exp(log_var)) / 2


@fault("KL", KL, kl_args)
def kl_batch_mean_forgotten(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Take the mean over the batch in the forward pass and the sum in the backward pass."""
    mu, log_var = cache
    d_terms = BETA * d_kl
    return d_terms * mu, d_terms * (np.exp(log_var) - 1) / 2


@fault("KL", KL, kl_args)
def kl_mean_over_everything(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Divide by the number of entries, as np.mean would, instead of the number of samples."""
    mu, log_var = cache
    d_terms = BETA * d_kl / mu.size
    return d_terms * mu, d_terms * (np.exp(log_var) - 1) / 2


@fault("KL", KL, kl_args)
def kl_beta_forgotten(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Add beta to the loss of a working VAE, but not to its gradient."""
    mu, log_var = cache
    d_terms = d_kl / len(mu)
    return d_terms * mu, d_terms * (np.exp(log_var) - 1) / 2


FAULTS = (
    kl_half_forgotten,
    kl_exp_forgotten,
    kl_mu_sign,
    kl_log_var_sign,
    kl_batch_mean_forgotten,
    kl_mean_over_everything,
    kl_beta_forgotten,
)
