"""ln p(x | z): how well the decoder's output explains the data, in nats per sample."""

from typing import Any

import numpy as np

from npvae.kernels import compiled_twin

LOG_2PI = float(np.log(2 * np.pi))


@compiled_twin
def bernoulli_forward(x: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute Σ_d ln Bernoulli(x_d; sigmoid(logit_d)) of every sample.

    Parameters
    ----------
    x : (N, D) array in [0, 1]
        Binary data. Grey values are allowed, as is customary, but then this is minus a cross-entropy and not
        a likelihood: do not compare it with figures for binarised data.
    logits : (N, D) array
        The decoder's output, any real numbers: ln(p / (1 - p)).

    Returns
    -------
    log_likelihood : (N,) array
        In nats.
    residual : (N, D) array
        The cache: x - sigmoid(logits).

    Notes
    -----
    With p = 1 / (1 + e⁻ˡ):  ln p = l - ln(1 + eˡ)  and  ln(1 - p) = -ln(1 + eˡ), so

        x ln p + (1 - x) ln(1 - p) = x l - ln(1 + eˡ) = x l - max(l, 0) - ln(1 + exp(-|l|)).

    No exponential of a positive number is taken: nothing overflows, and nothing is lost to p being rounded to
    0 or 1.

    References
    ----------
    Kingma & Welling (2014), appendix C.1.
    """
    if x.shape != logits.shape or logits.ndim != 2:
        raise ValueError(f"x and logits must both be (N, D), got {x.shape} and {logits.shape}")
    e = np.exp(np.where(logits > 0, -logits, logits))  # exp(-|l|), at most 1
    log_likelihood = (x * logits - np.maximum(logits, 0) - np.log1p(e)).sum(axis=1)
    p = np.where(logits > 0, 1, e) / (1 + e)  # sigmoid(l)
    return log_likelihood, x - p


def bernoulli_backward(d_log_likelihood: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Carry d_log_likelihood (N,) back to the logits (N, D); x is data.

    Notes
    -----
    ∂/∂l [x l - ln(1 + eˡ)] = x - eˡ / (1 + eˡ) = x - p: the data minus their predicted probability.
    """
    return d_log_likelihood[:, None] * residual


def gaussian_forward(
    x: np.ndarray, mean: np.ndarray, log_noise_var: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Compute Σ_d ln N(x_d; mean_d, exp(log_noise_var)) of every sample.

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
    cache : (x - mean, log_noise_var)

    Notes
    -----
    ln N = -(1/2) [ Σ_d (x_d - m_d)² / v + D (ln v + ln 2π) ]. The squared error summed over the features is
    this with v = 1/2, up to a constant and the sign.

    References
    ----------
    Kingma & Welling (2014), appendix C.2, with one variance for all pixels.
    """
    if x.shape != mean.shape or mean.ndim != 2:
        raise ValueError(f"x and mean must both be (N, D), got {x.shape} and {mean.shape}")
    residual = x - mean
    squares = (residual * residual).sum(axis=1)
    n_features = x.shape[1]
    log_likelihood = -(squares * np.exp(-log_noise_var) + n_features * (log_noise_var + LOG_2PI)) / 2
    return log_likelihood, (residual, log_noise_var)


def gaussian_backward(d_log_likelihood: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray]:
    """Carry d_log_likelihood (N,) back to the mean (N, D) and log_noise_var (1,); x is data.

    Notes
    -----
    With s = ln v:  ∂/∂m [-(x - m)² e⁻ˢ / 2] = (x - m) e⁻ˢ,  and  ∂/∂s [-(S e⁻ˢ + D s) / 2] = (S e⁻ˢ - D) / 2
    where S is a sample's sum of squares. The noise variance is shared by all samples, so its gradient sums
    over them.
    """
    residual, log_noise_var = cache
    precision = np.exp(-log_noise_var)  # (1,)
    squares = (residual * residual).sum(axis=1)
    d_mean = (d_log_likelihood * precision)[:, None] * residual
    d_log_noise_var = np.sum(d_log_likelihood * (squares * precision - residual.shape[1])) / 2
    return d_mean, np.reshape(d_log_noise_var, (1,))
