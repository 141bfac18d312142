"""The posterior q(z | x) = N(μ, diag(σ²)): drawing from it, and its KL divergence from the prior N(0, I).

The encoder describes it by two vectors, mu and log_var = ln σ². The logarithm may be any real number, so a
linear layer can output it, and σ = exp(log_var / 2) is always positive. No covariance matrix is stored: off
the diagonal it is zero.
"""

from typing import Any

import numpy as np


def reparameterize_forward(
    mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Draw z = mu + exp(log_var / 2) * eps from N(mu, exp(log_var)); all arrays are (N, Z).

    eps is drawn from N(0, I) by the caller, once for the forward and the backward pass.

    Notes
    -----
    E z = mu and Var z = exp(log_var / 2)² = exp(log_var), as eps has mean 0 and variance 1.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, section 2.4.
    """
    if not mu.shape == log_var.shape == eps.shape:  # broadcasting would share noise between samples
        raise ValueError(
            f"mu, log_var and eps must all be (N, Z), got {mu.shape}, {log_var.shape}, {eps.shape}"
        )
    std = np.exp(log_var / 2)
    z = mu + std * eps
    return z, (std, eps)


def reparameterize_backward(
    dz: np.ndarray, cache: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Carry dz (N, Z) back to the parameters of the distribution, mu and log_var.

    Notes
    -----
    A draw has no derivative. But once eps is drawn, z = mu + std * eps is an ordinary function of mu and
    log_var, and eps is a constant of it:

        ∂z/∂mu = 1                                        d_mu      = dz
        ∂z/∂std = eps,  ∂std/∂log_var = std / 2           d_log_var = dz * eps * std / 2

    Averaged over eps this is the gradient of E_q[L(z)], as the distribution of eps does not depend on the
    parameters and the derivative may go inside.
    """
    std, eps = cache
    return dz.copy(), dz * eps * std / 2


def kl_forward(mu: np.ndarray, log_var: np.ndarray) -> tuple[np.ndarray, Any]:
    """Compute KL( N(mu, diag(exp(log_var))) || N(0, I) ) (N,), in nats, from mu and log_var (N, Z).

    Notes
    -----
    In one dimension, with v = log_var and the expectation over z ~ q,

        KL = E[ln q(z) - ln p(z)]
           = E[-(z - μ)² / (2 eᵛ) - v / 2 + z² / 2]       the two ln(2π) / 2 cancel
           = -1 / 2 - v / 2 + (μ² + eᵛ) / 2               E z² = μ² + eᵛ
           = (μ² + (eᵛ - 1) - v) / 2.

    Dimensions are independent, so their KLs add. It is zero only at μ = 0, v = 0. expm1(v) is eᵛ - 1, with
    more correct digits where v is small.

    References
    ----------
    Kingma & Welling (2014), appendix B.
    """
    kl = (mu * mu + np.expm1(log_var) - log_var).sum(axis=1) / 2
    return kl, (mu, log_var)


def kl_backward(d_kl: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray]:
    """Carry d_kl (N,) back to mu and log_var, (N, Z) each.

    Notes
    -----
    From KL = (μ² + eᵛ - 1 - v) / 2:  ∂KL/∂μ = μ  and  ∂KL/∂v = (eᵛ - 1) / 2. Both vanish at the prior, μ = 0
    and v = 0.
    """
    mu, log_var = cache
    d_kl = d_kl[:, None]  # (N, 1)
    return d_kl * mu, d_kl * np.expm1(log_var) / 2


def free_bits_forward(mu: np.ndarray, log_var: np.ndarray, free_bits: float) -> tuple[np.ndarray, Any]:
    """Compute the KL term (N,), in nats, of which every latent dimension has `free_bits` nats for nothing.

    mu and log_var are (N, Z). The backward pass is `kl_backward`.

    Notes
    -----
    Let K_j be the mean over the batch of a dimension's KL. The objective has, in place of Σ_j K_j,

        Σ_j max(free_bits, K_j),

    so a dimension gains nothing by going below `free_bits`: there its gradient is 0. Written for every
    sample, so that the mean over the batch is this sum,

        Σ_j [ KL_nj  if K_j > free_bits,  else free_bits ].

    A dimension that is not counted can be replaced by the prior's, μ = 0 and v = 0, whose KL is 0 and whose
    gradient is 0. What is left is a KL, and so is its backward pass.

    References
    ----------
    Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling (2016), Improved variational inference with
    inverse autoregressive flow, appendix C.8, with one dimension in each group.
    """
    terms = (mu * mu + np.expm1(log_var) - log_var) / 2  # (N, Z)
    counted = terms.real.sum(axis=0) > free_bits * len(terms)  # (Z,): K_j > free_bits
    kl, cache = kl_forward(np.where(counted, mu, 0), np.where(counted, log_var, 0))
    free = float(free_bits * np.sum(~counted))  # a NumPy float64 would widen float32
    return kl + free, cache
