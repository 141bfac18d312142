"""Diagnostics of a fitted VAE: posterior collapse and its cause, and extreme log-variances."""

import numpy as np

from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork

LEAST_KL = 0.01  # nats, averaged over samples; a latent unit below it has collapsed
LARGEST_LOG_VAR = 80.0  # absolute value; exp of a float32 overflows above 88.7 and loses digits below -87.3


class PosteriorCollapseWarning(UserWarning):
    """Warns that most latent units of a fitted VAE have collapsed to the prior."""


def collapse_warning(
    network: VAENetwork,
    params: Parameters,
    x: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    *,
    unsettled: bool = False,
) -> str | None:
    """Return a warning, with the cause, if most latent units have collapsed to the prior.

    Parameters
    ----------
    network : VAENetwork
    params : Parameters
    x : (N, D) array
        Data, in the network's units.
    mu, log_var : (N, Z) arrays
        Of q(z | x).
    unsettled : bool
        Whether training is known to have ended before the loss settled.

    Returns
    -------
    str or None
        Two sentences if all units have a mean KL below 0.01 nats, or if more than half of them do because
        of a setting. The second sentence names the cause if the numbers show one. (If some units are used
        and no setting explains the others, the model has more units than the data need: None.)

    Notes
    -----
    In a linear VAE a unit is used only if it can follow a direction of the data whose variance lambda exceeds
    the noise variance times beta: lambda > beta v. Otherwise q(z | x) = p(z) is the optimum, and no training
    helps. The Bernoulli likelihood's noise is that of a coin flip, p (1 - p), with p the column's mean.

    References
    ----------
    Lucas, Tucker, Grosse & Norouzi (2019), Don't blame the ELBO! A linear VAE perspective on posterior
    collapse, section 4. Dai, Wang & Wipf (2020), The usual suspects? Reassessing blame for VAE posterior
    collapse.
    """
    kl = (mu * mu + np.expm1(np.minimum(log_var, LARGEST_LOG_VAR)) - log_var).mean(axis=0) / 2
    n_units, n_unused = len(kl), int(np.sum(kl < LEAST_KL))
    if 2 * n_unused <= n_units:
        return None
    cause = _cause(network, params, x, n_units - n_unused)
    if n_unused < n_units:
        if cause is None:
            return None  # as many units as the data have use for
        what, effect = f"{n_unused} of {n_units} latent units have", "so they are unused"
    else:
        what = f"all {n_units} latent units have" if n_units > 1 else "the latent unit has"
        effect = "so z carries no information about x, and all samples look nearly the same"
    if cause is None and unsettled:
        cause = "Training ended before the loss had settled."
    sentence = f"Posterior collapse: {what} a mean KL below {LEAST_KL} nats, {effect}."
    return f"{sentence} {cause or _no_cause(network, params, x)}"


def _cause(network: VAENetwork, params: Parameters, x: np.ndarray, n_used: int) -> str | None:
    """Return a sentence about the setting that explains the number of used units, or None."""
    variances = _principal_variances(x)
    if not variances.any():
        return "The data do not vary."
    beta, largest = network.beta, float(variances[0])
    if network.likelihood == "gaussian":
        v = network.noise_var(params)
    else:
        p = x.mean(axis=0)
        v = float(np.mean(p * (1 - p)))
    n_above, n_above_alone = int(np.sum(variances > beta * v)), int(np.sum(variances > v))
    if n_above > n_used:
        return None
    where = "every direction" if n_above == 0 else f"all but {n_above} directions"
    if beta > 1 and n_above_alone > n_used:
        return (
            f"Cause: beta={beta:g} times the noise variance, {v:.3g}, is above the variance of the data in "
            f"{where} (the largest is {largest:.3g}). Lower beta: with beta=1, {n_above_alone} directions "
            "would have a variance above the noise variance."
        )
    if network.likelihood == "bernoulli":
        return (
            "Cause: the Bernoulli likelihood treats numbers in [0, 1] as coin-flip probabilities, whose "
            f"variance p (1 - p), {v:.3g} on average, is above the variance of the data in {where} (the "
            f'largest is {largest:.3g}). Use likelihood="gaussian".'
        )
    if network.noise_variance != "learned":
        return (
            f"Cause: noise_variance={v:g} is above the variance of the data in {where} (the largest is "
            f'{largest:.3g}), so the model treats it as noise. Use noise_variance="learned".'
        )
    return None


def _no_cause(network: VAENetwork, params: Parameters, x: np.ndarray) -> str:
    if network.beta > 1:
        return f"The likely cause is beta={network.beta:g}: lower it, or raise it with kl_warmup_epochs."
    if network.likelihood == "gaussian" and network.noise_variance == "learned":
        return (
            f"The noise variance, {network.noise_var(params):.3g}, has been learned, and the largest "
            f"variance of the data in any direction is {_principal_variances(x)[0]:.3g}: the columns have "
            "too little in common for z to represent."
        )
    return "Neither beta nor the noise variance explains it."


def _principal_variances(x: np.ndarray) -> np.ndarray:
    return np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2 / len(x)


def log_var_warning(sizes: np.ndarray) -> str | None:
    """Return a warning if log-variances are near the limits of exp in float32.

    Parameters
    ----------
    sizes : (N,) array
        The largest absolute value of each sample's log-variances.

    Returns
    -------
    str or None
        A warning if one is above 80.
    """
    n_beyond = int(np.sum(sizes > LARGEST_LOG_VAR))
    if not n_beyond:
        return None
    return (
        f"Log-variances of {n_beyond} of {len(sizes)} samples are above {LARGEST_LOG_VAR:g} in absolute "
        f"value (the largest is {sizes.max():.4g}). exp(log_var) overflows or underflows in float32 near "
        "88, so losses and scores of these samples, and means over them, are unreliable. Scale the columns "
        "of X, for example with StandardScaler."
    )
