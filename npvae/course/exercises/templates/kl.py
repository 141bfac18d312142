# npvae exercise kl
"""The Kullback-Leibler divergence from N(mu, sigma^2) to N(0, 1), and its gradients.

This is the term of a VAE's loss that pulls the distribution of every code towards the standard normal one.
With log_var = ln(sigma^2), for each sample,

    KL = 1/2 * sum over z of  mu^2 + exp(log_var) - 1 - log_var.

L is some loss that KL is a part of, and the backward pass is told d_kl = dL/dKL, one number for each sample.
The question: what are dL/dmu and dL/dlog_var?

Replace the dots in kl_backward; leave kl_forward as it is. Then:

    npvae exercise check kl.py              (with --hint for the next of three hints)

Shapes: N samples (rows), Z latent dimensions.
"""

import numpy as np


def kl_forward(mu, log_var):
    """Compute the divergence of every sample.

    Parameters
    ----------
    mu : (N, Z) array, the means
    log_var : (N, Z) array, the logarithms of the variances

    Returns
    -------
    kl : (N,) array
    cache : mu and log_var
    """
    kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2
    return kl, (mu, log_var)


def kl_backward(d_kl, cache):
    """Compute the gradients of mu and log_var.

    Parameters
    ----------
    d_kl : (N,) array, dL/dKL: one number for each sample
    cache : mu and log_var, as kl_forward returned them

    Returns
    -------
    d_mu : (N, Z) array, dL/dmu
    d_log_var : (N, Z) array, dL/dlog_var
    """
    mu, log_var = cache
    d_mu = ...
    d_log_var = ...
    return d_mu, d_log_var
