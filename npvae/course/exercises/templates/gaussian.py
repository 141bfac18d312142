# npvae exercise gaussian
"""The Gaussian likelihood with a learned noise variance, and its gradients.

The decoder's output is the mean m of a normal distribution for every pixel, and one variance v is shared by
all pixels and all samples. It is learned too, as its logarithm s = ln v. The logarithm of the likelihood is

    ln p(x | m, v) = -1/2 * ( S / v + D * (ln v + ln(2 pi)) ),    S = sum over the D pixels of (x - m)^2,

for each sample. The question: what are dL/dm and dL/ds? Note the shapes: there is one s for the whole batch.

Replace the dots in gaussian_backward; leave gaussian_forward as it is. Then:

    npvae exercise check gaussian.py        (with --hint for the next of three hints)

Shapes: N samples (rows), D pixels.
"""

import numpy as np


def gaussian_forward(x, mean, log_noise_var):
    """Compute the log-likelihood of every sample.

    Parameters
    ----------
    x : (N, D) array of pixels; data, so they need no gradient
    mean : (N, D) array, the decoder's output
    log_noise_var : (1,) array, s = ln v, shared by all pixels and samples

    Returns
    -------
    log_likelihood : (N,) array, one number for each sample
    cache : x, mean and log_noise_var
    """
    squares = ((x - mean) ** 2).sum(axis=1)
    n_pixels = x.shape[1]
    log_likelihood = -(squares * np.exp(-log_noise_var) + n_pixels * (log_noise_var + np.log(2 * np.pi))) / 2
    return log_likelihood, (x, mean, log_noise_var)


def gaussian_backward(d_log_likelihood, cache):
    """Compute the gradients of the mean and of the noise's log-variance.

    Parameters
    ----------
    d_log_likelihood : (N,) array, dL/dlog_likelihood: one number for each sample
    cache : x, mean and log_noise_var, as gaussian_forward returned them

    Returns
    -------
    d_mean : (N, D) array, dL/dmean
    d_log_noise_var : (1,) array, dL/ds
    """
    x, mean, log_noise_var = cache
    d_mean = ...
    d_log_noise_var = ...
    return d_mean, d_log_noise_var
