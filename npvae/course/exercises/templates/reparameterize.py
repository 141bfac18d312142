# npvae exercise reparameterize
"""Drawing from a normal distribution, and the gradient that gets through the draw.

A VAE's encoder outputs the mean mu and the logarithm of the variance, log_var = ln(sigma^2), of a normal
distribution for each sample. A draw from it is

    z = mu + sigma * eps,    sigma = exp(log_var / 2),    eps from N(0, 1).

eps is drawn before this function is called and handed to it, so z is an ordinary function of mu and log_var,
with eps as a constant. L is some loss that is computed from z later on, and the backward pass is told
dz = dL/dz. The question: what are dL/dmu and dL/dlog_var?

Replace the dots in reparameterize_backward; leave reparameterize_forward as it is. Then:

    npvae exercise check reparameterize.py  (with --hint for the next of three hints)

Shapes: N samples (rows), Z latent dimensions.
"""

import numpy as np


def reparameterize_forward(mu, log_var, eps):
    """Compute z = mu + exp(log_var / 2) * eps.

    Parameters
    ----------
    mu : (N, Z) array, the means
    log_var : (N, Z) array, the logarithms of the variances
    eps : (N, Z) array, the noise; a constant, so it needs no gradient

    Returns
    -------
    z : (N, Z) array
    cache : log_var and eps
    """
    z = mu + np.exp(log_var / 2) * eps
    return z, (log_var, eps)


def reparameterize_backward(dz, cache):
    """Compute the gradients of mu and log_var.

    Parameters
    ----------
    dz : (N, Z) array, dL/dz
    cache : log_var and eps, as reparameterize_forward returned them

    Returns
    -------
    d_mu : (N, Z) array, dL/dmu
    d_log_var : (N, Z) array, dL/dlog_var
    """
    log_var, eps = cache
    d_mu = ...
    d_log_var = ...
    return d_mu, d_log_var
