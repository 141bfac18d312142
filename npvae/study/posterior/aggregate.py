"""Bounds of the KL divergence from the aggregate posterior q(z) = E[q(z | x)] to the prior."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from npvae.core.gaussian import kl_forward, reparameterize_forward
from npvae.core.likelihoods import LOG_2PI
from npvae.study.posterior.information import (
    Estimate,
    as_posteriors,
    information_of_samples,
    log_mixture_density,
)

if TYPE_CHECKING:
    from npvae.estimators.inputs import RandomState

_COMPONENTS = (1, 4, 16)  # numbers of components of the Gaussian mixtures
_DRAWS = 4  # draws from each q(z | x) for the fit of a mixture
_MOST_FITTED = 5000  # samples x for the fit of a mixture
_ITERATIONS = 10  # of expectation maximisation; more gain nothing on held-out draws
_REGULARISATION = 1e-6  # added to the mixtures' variances, in units of the draws' variances
_FEWEST = 10  # samples needed for the three parts


class Bracket(NamedTuple):
    """Estimates of a lower and of an upper bound; the bounds hold in expectation."""

    lower: Estimate
    upper: Estimate


def aggregate_posterior_kl(
    mu: npt.ArrayLike, log_var: npt.ArrayLike, *, random_state: "RandomState" = None
) -> Bracket:
    """Estimate bounds of KL(q(z) || N(0, I)), the distance of the aggregate posterior from the prior.

    Parameters
    ----------
    mu, log_var : (N, Z) arrays, N >= 10
        Parameters of q(z | x) for samples drawn independently from the data distribution; log_var from -300
        to 300.
    random_state : int, Generator or RandomState, optional
        Seed of the draws of z and of the division of the samples. None: different in every call.

    Returns
    -------
    Bracket
        Both in nats, and at least 0.

    Raises
    ------
    ValueError
        The shapes differ, there are fewer than 10 samples, or a number is not finite or out of range.

    Notes
    -----
    q(z) = E[q(z | x)] over the data distribution is an infinite mixture, of which N components are known.

    Lower bound: for any density r that is fixed before z is drawn,

        KL(q || p) = E_q[ln r(z) - ln p(z)] + KL(q || r)  >=  E_q[ln r(z) - ln p(z)].

    The mean over held-out z is an unbiased estimate of the right side if their x were not used for r. Half of
    the samples give candidates for r: their own mixture q_n(z) = (1/n) sum_j q(z | x_j), and mixtures of 1, 4
    and 16 Gaussians fitted to draws. A tenth of the samples selects the candidate with the largest mean of
    ln r, and the others give the estimate. The gap is KL(q || r). A negative estimate is set to 0.

    Upper bound: the mixture q_N(z) = (1/N) sum_j q(z | x_j) of all samples, at draws of its own components,

        (1/N) sum_n E[ln q_N(z) - ln p(z)],  z ~ q(z | x_n)   =   KL(q_N || p)   =   mean KL - I_N(x; z),

    estimated with the same draws as in `mutual_information` with the same seed. Over the choice of
    x_1 .. x_N, E[q_N(z)] = q(z) at every z, and KL(. || p) is convex, so by Jensen's inequality
    E[KL(q_N || p)] >= KL(E[q_N] || p) = KL(q || p). The gap, E[KL(q_N || q)] = I(x; z) - E[I_N(x; z)],
    falls to 0 as N grows, and is large while I_N is near its maximum, ln N. The bound holds in expectation
    over the samples, not for each choice of them; the standard error measures the spread of the terms. It
    assumes that the x are independent draws: with duplicates, or with training images where held-out ones
    are meant, it describes another q(z).

    Cost: 1.25 times that of `mutual_information`, and at most about 3 s for the mixtures (5000 samples in 50
    dimensions). Limit: both bounds depend on N, the upper one strongly, so compare at equal N.

    References
    ----------
    Hoffman & Johnson (2016), ELBO surgery, section 2 (the marginal KL to the prior).
    """
    from npvae.estimators.inputs import make_generator

    mu, log_var = as_posteriors(mu, log_var, at_least=_FEWEST)
    rng = make_generator(random_state)
    information = information_of_samples(mu, log_var, rng)
    above = Estimate.mean_of(kl_forward(mu, log_var)[0] - information)
    return Bracket(_at_least_0(_from_below(mu, log_var, rng)), _at_least_0(above))


def _from_below(mu: np.ndarray, log_var: np.ndarray, rng: np.random.Generator) -> Estimate:
    order, n = rng.permutation(len(mu)), len(mu)
    fit, choose, measure = order[: n // 2], order[n // 2 : n // 2 + n // 10], order[n // 2 + n // 10 :]
    z, _ = reparameterize_forward(mu, log_var, rng.standard_normal(mu.shape))
    candidates = [lambda rows: log_mixture_density(rows, mu[fit], log_var[fit])]
    some = np.tile(fit[:_MOST_FITTED], _DRAWS)
    draws, _ = reparameterize_forward(mu[some], log_var[some], rng.standard_normal((len(some), mu.shape[1])))
    candidates += [_gaussian_mixture(draws, k, int(rng.integers(2**31))) for k in _COMPONENTS]
    log_r = max(candidates, key=lambda log_density: log_density(z[choose]).mean())
    held_out = z[measure]
    log_prior = -(held_out * held_out + LOG_2PI).sum(axis=1) / 2
    return Estimate.mean_of(log_r(held_out) - log_prior)


def _gaussian_mixture(draws: np.ndarray, k: int, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a mixture of k Gaussians to draws, and return its log density as a function of rows."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    mean, scale = draws.mean(axis=0), draws.std(axis=0)
    scale[scale == 0] = 1
    mixture = GaussianMixture(k, reg_covar=_REGULARISATION, max_iter=_ITERATIONS, random_state=seed)
    with threadpool_limits(limits=1), warnings.catch_warnings():  # the order of sums in k-means depends on it
        warnings.simplefilter("ignore", ConvergenceWarning)  # any r gives a bound
        mixture.fit((draws - mean) / scale)
    return lambda rows: mixture.score_samples((rows - mean) / scale) - np.log(scale).sum()


def _at_least_0(estimate: Estimate) -> Estimate:
    return estimate._replace(value=max(estimate.value, 0.0))
