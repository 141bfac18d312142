"""What should be known before the figures of a model are believed: a sentence each, or None."""

import numpy as np

from npvae.training.batches import as_floats

LEAST_KL = 0.1  # nats, of a posterior that says anything
LEAST_EFFECTIVE = 10.0  # importance samples, of at least as many
LARGEST_LOG_VAR = 80.0  # in size; exp of a float32 overflows above 88.7 and loses digits below -87.3
_BLOCK = 1024  # rows worked on at once


def collapse_caution(active: np.ndarray, mean_kl: float) -> str | None:
    """Say so where the posterior has collapsed onto the prior.

    Parameters
    ----------
    active : (Z,) array of bool
        From `active_units`.
    mean_kl : float
        In nats.

    Returns
    -------
    str or None
        A sentence if no unit is active or the mean KL is below 0.1 nats.
    """
    if active.any() and mean_kl >= LEAST_KL:
        return None
    return (
        f"Posterior collapse: {int(active.sum())} of {len(active)} latent units are active and the mean KL "
        f"is {mean_kl:.2g} nats, so z says next to nothing about x, and every draw decodes to nearly the "
        "same. A smaller beta, KL warm-up or less noise variance may help."
    )


def log_var_caution(log_var: np.ndarray) -> str | None:
    """Say so where log-variances come near to what float32 can exponentiate.

    Parameters
    ----------
    log_var : (N, Z) array

    Returns
    -------
    str or None
        A sentence if one is larger than 80 in size.
    """
    sizes = np.abs(log_var).max(axis=1)
    n_beyond = int(np.sum(sizes > LARGEST_LOG_VAR))
    if not n_beyond:
        return None
    return (
        f"Log-variances of {n_beyond} of {len(log_var)} samples are larger than {LARGEST_LOG_VAR:g} in size "
        f"(the largest is {sizes.max():.4g}): exp(log_var) overflows or vanishes in float32 near 88, so the "
        "figures of these samples, and means over them, mean little."
    )


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
        at ln p(x). None where it is NaN, of log-variances that `log_var_caution` speaks of.
    """
    if n_importance_samples <= LEAST_EFFECTIVE or np.isnan(effective_sample_size):
        return None
    if effective_sample_size >= LEAST_EFFECTIVE:
        return None
    return (
        f"Of K = {n_importance_samples} importance samples only {effective_sample_size:.1f} carry weight on "
        "average, so ln p(x) is estimated too low, by more than its standard error says. Take a larger K."
    )
