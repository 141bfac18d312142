"""What should be known before the figures of a model are believed: a sentence each, or None."""

import numpy as np

from npvae.data.scaling import as_floats

LEAST_EFFECTIVE = 10.0  # importance samples, of at least as many
_BLOCK = 1024  # rows worked on at once


def grey_caution(X: np.ndarray, likelihood: str) -> str | None:
    """Say so where data that are not binary are given to the Bernoulli likelihood.

    Parameters
    ----------
    X : (N, D) array
        Floats in [0, 1], or uint8 pixels.
    likelihood : {"bernoulli", "gaussian"}

    Returns
    -------
    str or None
        A sentence if a number lies strictly between 0 and 1 and the likelihood is Bernoulli's.
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
        f"{n_grey} of {X.size} numbers lie strictly between 0 and 1, but the likelihood is Bernoulli's: the "
        "figures are a cross-entropy, not ln p of binary data. Do not compare them with those of binarised "
        "data."
    )


def effective_caution(effective_sample_size: float, n_importance_samples: int) -> str | None:
    """Say so where a few importance samples carry all of the weight.

    Parameters
    ----------
    effective_sample_size : float
        Mean over the samples whose ln p(x) was estimated.
    n_importance_samples : int
        K.

    Returns
    -------
    str or None
        A sentence if the effective sample size is below 10, although K is larger: a smaller K is no attempt
        at ln p(x). None where it is NaN, of log-variances that `npvae.estimators.diagnosis.log_var_warning`
        speaks of.
    """
    if n_importance_samples <= LEAST_EFFECTIVE or np.isnan(effective_sample_size):
        return None
    if effective_sample_size >= LEAST_EFFECTIVE:
        return None
    return (
        f"Of K = {n_importance_samples} importance samples only {effective_sample_size:.1f} carry weight on "
        "average, so ln p(x) is estimated too low, by more than its standard error says. Take a larger K."
    )
