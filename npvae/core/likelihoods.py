"""ln p(x | z): how well the decoder's output explains the data, in nats per sample."""

from typing import NamedTuple

import numpy as np

from npvae import kernels
from npvae.core.gaussian import LOG_2PI


class BernoulliCache(NamedTuple):
    """The derivative of the log-likelihood, which the forward pass has at hand."""

    residual: np.ndarray  # (N, D), x - sigmoid(logits)


def bernoulli_forward(x: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, BernoulliCache]:
    """Compute sum_d ln Bernoulli(x_d; sigmoid(logit_d)) of every sample.

    Parameters
    ----------
    x : (N, D) array in [0, 1]
        Binary data. Grey values are allowed, as is customary, but then this is
        minus a cross-entropy and not a likelihood: do not compare it with figures for
        binarised data.
    logits : (N, D) array
        The decoder's output, any real numbers: ln(p / (1 - p)).

    Returns
    -------
    log_likelihood : (N,) array
        In nats.
    cache : BernoulliCache

    Raises
    ------
    ValueError
        The two shapes differ.

    Notes
    -----
    With p = 1 / (1 + e^-l):  ln p = l - ln(1 + e^l)  and  ln(1 - p) = -ln(1 + e^l), so

        x ln p + (1 - x) ln(1 - p) = x l - ln(1 + e^l) = x l - max(l, 0) - ln(1 + e^-|l|).

    No exponential of a positive number is taken: nothing overflows, and nothing is
    lost to p being rounded to 0 or 1.

    References
    ----------
    Kingma & Welling (2014), appendix C.1.
    """
    if x.shape != logits.shape or logits.ndim != 2:
        raise ValueError(f"x and logits must both be (N, D), got {x.shape} and {logits.shape}")
    log_likelihood, residual = kernels.bernoulli(x, logits)
    return log_likelihood, BernoulliCache(residual)


def bernoulli_backward(d_log_likelihood: np.ndarray, cache: BernoulliCache) -> np.ndarray:
    """Carry dL/dlog_likelihood (N,) back to the logits (N, D); x is data.

    Notes
    -----
    d/dl [x l - ln(1 + e^l)] = x - e^l / (1 + e^l) = x - p: what is there minus what was expected.
    """
    return kernels.scale_rows(cache.residual, d_log_likelihood)


class GaussianCache(NamedTuple):
    """The residual, and the noise's log-variance."""

    residual: np.ndarray  # (N, D), x - mean
    log_noise_var: np.ndarray  # (1,)


def gaussian_forward(
    x: np.ndarray, mean: np.ndarray, log_noise_var: np.ndarray
) -> tuple[np.ndarray, GaussianCache]:
    """Compute sum_d ln N(x_d; mean_d, exp(log_noise_var)) of every sample.

    Parameters
    ----------
    x, mean : (N, D) arrays
        Data and the decoder's output, in the data's units.
    log_noise_var : (1,) array
        One variance for all features, as its logarithm.

    Returns
    -------
    log_likelihood : (N,) array
        In nats.
    cache : GaussianCache

    Raises
    ------
    ValueError
        The shapes of x and mean differ.

    Notes
    -----
    ln N = -(1/2) [ sum_d (x_d - m_d)^2 / v + D (ln v + ln(2 pi)) ]. The squared error summed over
    the features is this with v = 1/2, up to a constant and the sign.

    References
    ----------
    Kingma & Welling (2014), appendix C.2, with one variance for all pixels.
    """
    if x.shape != mean.shape or mean.ndim != 2:
        raise ValueError(f"x and mean must both be (N, D), got {x.shape} and {mean.shape}")
    residual = x - mean
    squares = np.einsum("nd,nd->n", residual, residual)
    n_features = x.shape[1]
    log_likelihood = -(squares * np.exp(-log_noise_var) + n_features * (log_noise_var + LOG_2PI)) / 2
    return log_likelihood, GaussianCache(residual, log_noise_var)


def gaussian_backward(d_log_likelihood: np.ndarray, cache: GaussianCache) -> tuple[np.ndarray, np.ndarray]:
    """Carry dL/dlog_likelihood (N,) back to the mean (N, D) and log_noise_var (1,); x is data.

    Notes
    -----
    With s = ln v:  d/dm [-(x - m)^2 e^-s / 2] = (x - m) e^-s,  and
    d/ds [-(S e^-s + D s) / 2] = (S e^-s - D) / 2  where S is a sample's sum of squares. The noise
    variance is shared by all samples, so its gradient sums over them.
    """
    residual, log_noise_var = cache
    precision = np.exp(-log_noise_var)  # (1,)
    squares = np.einsum("nd,nd->n", residual, residual)
    d_mean = kernels.scale_rows(residual, d_log_likelihood * precision)
    d_log_noise_var = np.sum(d_log_likelihood * (squares * precision - residual.shape[1])) / 2
    return d_mean, np.reshape(d_log_noise_var, (1,))
