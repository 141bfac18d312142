"""Warnings about the figures of a model: functions that return a sentence, or None."""

import numpy as np

from npvae.data.scaling import as_floats

LEAST_EFFECTIVE = 10.0  # effective importance samples below which there is a warning
_BLOCK = 1024  # rows per block


def grey_caution(X: np.ndarray, likelihood: str) -> str | None:
    """Return a warning if data that are not binary are used with the Bernoulli likelihood.

    Parameters
    ----------
    X : (N, D) array
        Floats in [0, 1], or uint8 pixels.
    likelihood : {"bernoulli", "gaussian"}

    Returns
    -------
    str or None
        A warning if the likelihood is "bernoulli" and a value lies strictly between 0 and 1.
    """
    if likelihood != "bernoulli":
        return None
    n_grey = 0
    for start in range(0, len(X), _BLOCK):
        x = as_floats(X[start : start + _BLOCK], np.dtype(np.float32))
        n_grey += int(np.count_nonzero((x > 0) & (x < 1)))
    if not n_grey:
        return None
    return (
        f"{n_grey} of {X.size} values lie strictly between 0 and 1, but the Bernoulli likelihood is for "
        "binary data. The figures are cross-entropies and not comparable with those of binarised data."
    )


def effective_caution(effective_sample_size: float, n_importance_samples: int) -> str | None:
    """Return a warning if a few importance samples carry nearly all of the weight.

    Parameters
    ----------
    effective_sample_size : float
        Mean over the samples whose ln p(x) was estimated.
    n_importance_samples : int
        K.

    Returns
    -------
    str or None
        A warning if K is larger than 10 and the effective sample size below 10. None if it is NaN, which
        `npvae.estimators.diagnosis.log_var_warning` explains.
    """
    if n_importance_samples <= LEAST_EFFECTIVE or np.isnan(effective_sample_size):
        return None
    if effective_sample_size >= LEAST_EFFECTIVE:
        return None
    return (
        f"The effective sample size of K = {n_importance_samples} importance samples is only "
        f"{effective_sample_size:.1f} on average, so ln p(x) is underestimated by more than its standard "
        "error. Use a larger K."
    )
