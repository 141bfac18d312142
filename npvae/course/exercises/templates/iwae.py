# npvae exercise iwae
"""The bound of the importance-weighted autoencoder (IWAE), and its gradient.

An IWAE draws k codes z_1 ... z_k for each sample and gives each the weight

    w_i = p(x | z_i) p(z_i) / q(z_i | x),

whose expectation is p(x). Its objective is the logarithm of the mean weight,

    bound = ln( 1/k * sum over i of w_i ),

which is the ELBO for k = 1 and comes closer to ln p(x) as k grows. The weights are so small or so large that
only their logarithms can be computed with; the forward pass takes the largest one out before it takes the
exponential, and adds it again afterwards.

The backward pass is told d_bound = dL/dbound, one number for each sample. The question: what is the gradient
of the logarithms of the weights, dL/d(ln w_i)? It has to work for logarithms of about -1000 as well.

Replace the dots in iwae_backward; leave iwae_forward as it is, except that you may put more into the cache.
Then:

    npvae exercise check iwae.py            (with --hint for the next of three hints)

Shapes: N samples (rows), k draws for each.

Source: Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equation 8.
"""

import numpy as np


def iwae_forward(log_weights):
    """Compute the bound of every sample.

    Parameters
    ----------
    log_weights : (N, k) array, ln w_i of every draw

    Returns
    -------
    bound : (N,) array
    cache : log_weights
    """
    largest = log_weights.max(axis=1, keepdims=True)  # (N, 1)
    k = log_weights.shape[1]
    bound = largest[:, 0] + np.log(np.exp(log_weights - largest).sum(axis=1) / k)
    return bound, log_weights


def iwae_backward(d_bound, cache):
    """Compute the gradient of the logarithms of the weights.

    Parameters
    ----------
    d_bound : (N,) array, dL/dbound: one number for each sample
    cache : log_weights, as iwae_forward returned them

    Returns
    -------
    d_log_weights : (N, k) array, dL/dlog_weights
    """
    log_weights = cache
    d_log_weights = ...
    return d_log_weights
