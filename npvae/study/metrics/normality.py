"""Tests of whether codes follow N(0, I), as a whole distribution and not only in its moments.

Two distances to N(0, I), the energy distance and the maximum mean discrepancy (MMD), are compared with their
values for draws from N(0, I); and a classifier is trained to distinguish codes from draws.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.study.sample_arrays import as_matrix, check_count

if TYPE_CHECKING:
    from npvae.study.metrics.two_sample import TwoSampleTest

_FEWEST_CODES = 10
_FEWEST_NULL = 19  # needed for a p value of 0.05
_MOST_CLASSIFIED = 5000  # codes for the classifier
_NODES = 64  # of each quadrature; the relative error is below 1e-9


class NormalityStatistics(NamedTuple):
    """Distances between codes and N(0, I); larger means further away.

    Attributes
    ----------
    energy : float
        n times the energy distance, at least 0.
    mmd : float
        Unbiased estimate of the squared maximum mean discrepancy. For N(0, I) it is about 0 and may be
        negative.
    """

    energy: float
    mmd: float


class SimulatedTest(NamedTuple):
    """A statistic compared with its simulated distribution under N(0, I).

    Attributes
    ----------
    statistic : float
    p_value : float in (0, 1]
        Share of all sets (the codes, and those drawn from N(0, I)) whose statistic is at least that of the
        codes.
    null_quantile : float
        95 % quantile over the sets drawn from N(0, I). With 99 sets, the p value is at most 0.05 exactly if
        the statistic is larger than it.
    """

    statistic: float
    p_value: float
    null_quantile: float


@dataclass(frozen=True)
class NormalityTests:
    """What `normality_tests` returns.

    Parameters
    ----------
    energy, mmd : SimulatedTest
        See `NormalityStatistics`.
    classifier : TwoSampleTest
        Codes against as many draws from N(0, I). An accuracy of 1/2 means that the classifier could not
        distinguish them.
    n_codes : int
        Number of codes used for `energy` and `mmd`, which both depend on it.
    n_null : int
        Number of sets of as many draws from N(0, I).
    """

    energy: SimulatedTest
    mmd: SimulatedTest
    classifier: "TwoSampleTest"
    n_codes: int
    n_null: int


def normality_tests(
    codes: npt.ArrayLike, *, n_codes: int = 2000, n_null: int = 99, random_state: int = 0
) -> NormalityTests:
    """Test codes against N(0, I).

    Parameters
    ----------
    codes : (N, Z) array, N >= 10
        From `draw_codes`. For a VAE not the posterior means, whose variance is smaller than that of z.
    n_codes : int
        Size of the random subset for the two distances; at least 10. (The classifier gets up to 5000.)
    n_null : int
        Sets of draws from N(0, I) to compare the two distances with; at least 19.
    random_state : int
        The same seed gives the same bits, and the same sets of draws.

    Returns
    -------
    NormalityTests

    Raises
    ------
    ValueError
        There are fewer than 10 codes, a code is not finite, or a count is too small.

    Notes
    -----
    With T_0 the statistic of the codes and T_1 .. T_B those of B sets of n draws from N(0, I),

        p = (1 + #{ b : T_b >= T_0 }) / (B + 1),

    which is exact for any B and n: under N(0, I) every rank of T_0 is equally likely. It cannot be below
    1 / (B + 1). No parameters are estimated: the hypothesis is that the codes follow N(0, I) itself, from
    which new codes are drawn, not that they follow some normal distribution.

    Cost: (B + 1) n^2 (Z + a few) operations, about 2 s for n = 2000 and B = 99, and the classifier's. The
    simulated statistics are cached for n, Z, B and the seed, so a second model of the same width costs a
    hundredth. Limits: with many codes every model is rejected, so also look at how far the statistic is from
    its quantile, and at the accuracy. A small p does not imply that samples from N(0, I) look bad.

    References
    ----------
    Székely & Rizzo (2005), A new test for multivariate normality. Gretton et al. (2012), A kernel
    two-sample test. Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests. Davison & Hinkley
    (1997), Bootstrap methods and their application, section 4.2 (the p value).
    """
    from npvae.study.metrics.two_sample import classifier_two_sample_test

    check_count(n_codes, "n_codes", at_least=_FEWEST_CODES)
    check_count(n_null, "n_null", at_least=_FEWEST_NULL)
    check_count(random_state, "random_state", at_least=0)
    rows = as_matrix(codes, "codes", at_least=_FEWEST_CODES)
    rng = np.random.default_rng([random_state, 1])  # independent of draws made with the seed itself
    order = rng.permutation(len(rows))
    tested, classified = rows[order[:n_codes]], rows[order[:_MOST_CLASSIFIED]]
    observed = normality_statistics(tested)
    null = _null_statistics(len(tested), rows.shape[1], int(n_null), int(random_state))
    energy, mmd = (_compare(value, null[:, i]) for i, value in enumerate(observed))
    accuracy = classifier_two_sample_test(
        classified, rng.standard_normal(classified.shape), random_state=random_state
    )
    return NormalityTests(energy, mmd, accuracy, len(tested), n_null)


def normality_statistics(codes: npt.ArrayLike) -> NormalityStatistics:
    """Measure the energy distance and the maximum mean discrepancy between codes and N(0, I).

    Parameters
    ----------
    codes : (n, Z) array, n >= 2
        Cost and memory are quadratic in n.

    Returns
    -------
    NormalityStatistics

    Raises
    ------
    ValueError
        There are fewer than two codes, or a code is not finite.

    Notes
    -----
    With x, x' codes and Z, Z' independent draws from N(0, I) in d dimensions,

        energy = n [ (2/n) sum_i E|x_i - Z| - E|Z - Z'| - (1/n^2) sum_ij |x_i - x_j| ],
        mmd    = (1 / (n (n - 1))) sum_{i != j} k(x_i, x_j) - (2/n) sum_i E k(x_i, Z) + E k(Z, Z'),
        k(x, y) = C / (C + |x - y|^2),  C = 2 d.

    As N(0, I) is known, the expectations over Z are computed exactly instead of from a second sample. This
    removes that sample's noise, and only distances within each set are needed. As |x - Z|^2 = W is a
    noncentral chi-squared variable, phi(t) = E[e^-tW] = (1 + 2t)^(-d/2) exp(-t |x|^2 / (1 + 2t)), and

        E sqrt(W) = (1 / (2 sqrt(pi))) integral of (1 - phi(t)) t^(-3/2) dt,
        E C / (C + W) = integral of e^-u phi(u / C) du,                           both from 0 to infinity,

    by Gauss-Legendre in the angle of t = tan^2(angle) / (d + |x|^2), and Gauss-Laguerre in u (1 + |x|^2 /
    C). The first is sqrt(2) G((d+1)/2) / G(d/2) 1F1(-1/2; d/2; -|x|^2 / 2) with the gamma function G, for
    which scipy.special.hyp1f1 returns infinity at some |x| from d = 106 on. Z - Z' is a draw from N(0, 2
    I): E|Z - Z'| = 2 G((d+1)/2) / G(d/2), and its phi is (1 + 4t)^(-d/2).

    References
    ----------
    Székely & Rizzo (2005), A new test for multivariate normality, equation 5. Gretton et al. (2012), A kernel
    two-sample test, lemma 6. Tolstikhin et al. (2018), Wasserstein auto-encoders, section 4 (the kernel).
    """
    with threadpool_limits(limits=1, user_api="blas"):  # for the same bits with any number of threads
        return _statistics(as_matrix(codes, "codes", at_least=2))


def _statistics(x: np.ndarray) -> NormalityStatistics:
    from scipy.spatial.distance import pdist

    n, latent_dim = x.shape
    squared = pdist(x, "sqeuclidean")  # of each pair, once
    distances = 2 * np.sqrt(squared).sum()
    kernels = 2 * (2 * latent_dim / (2 * latent_dim + squared)).sum()
    squares = np.einsum("nd,nd->n", x, x)
    origin = np.zeros(1)  # Z' = 0 and twice the variance: Z - Z' = sqrt(2) Z
    between = 2 * _expected_distance(squares, latent_dim).mean()
    within = np.sqrt(2) * _expected_distance(origin, latent_dim)[0] + distances / n**2
    crossed = 2 * _expected_kernel(squares, latent_dim, 2 * latent_dim).mean()
    known = _expected_kernel(origin, latent_dim, latent_dim)[0]  # C / (C + 2 W) = (C / 2) / (C / 2 + W)
    return NormalityStatistics(
        max(float(n * (between - within)), 0.0), float(kernels / (n * (n - 1)) - crossed + known)
    )


def _expected_distance(squares: np.ndarray, d: int) -> np.ndarray:
    """Return E|x - Z| for Z ~ N(0, I) in d dimensions and |x|^2 (n,)."""
    nodes, weights = _legendre()
    angle = (nodes + 1) * np.pi / 4
    r2 = squares[:, None]
    t = np.tan(angle) ** 2 / (d + r2)
    log_phi = -d / 2 * np.log1p(2 * t) - r2 * t / (1 + 2 * t)
    # dt / t^(3/2) is 2 sqrt(d + r^2) d(angle) / sin^2(angle)
    integral = (-np.expm1(log_phi) / np.sin(angle) ** 2) @ (weights * np.pi / 4)
    return np.sqrt((d + squares) / np.pi) * integral


def _expected_kernel(squares: np.ndarray, d: int, scale: float) -> np.ndarray:
    """Return E scale / (scale + |x - Z|^2) for Z ~ N(0, I) in d dimensions and |x|^2 (n,)."""
    nodes, weights = _laguerre()
    ratio = squares[:, None] / scale
    u = nodes / (1 + ratio)
    t2 = 2 * u / scale
    log_rest = ratio * u * t2 / (1 + t2) - d / 2 * np.log1p(t2)  # of ln phi, without -ratio u
    return np.exp(log_rest) @ weights / (1 + squares / scale)


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


@cache
def _laguerre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.laguerre.laggauss(_NODES)


@lru_cache(maxsize=16)
def _null_statistics(n: int, latent_dim: int, n_null: int, seed: int) -> np.ndarray:
    """Return both statistics of `n_null` sets of n draws from N(0, I), (n_null, 2)."""
    rng = np.random.default_rng([seed, 2])
    with threadpool_limits(limits=1, user_api="blas"):
        null = np.array([_statistics(rng.standard_normal((n, latent_dim))) for _ in range(n_null)])
    null.flags.writeable = False
    return null


def _compare(statistic: float, null: np.ndarray) -> SimulatedTest:
    n_at_least = int(np.sum(null >= statistic))
    quantile = np.quantile(null, 0.95, method="weibull")  # the 95th of 99
    return SimulatedTest(statistic, (1 + n_at_least) / (len(null) + 1), float(quantile))
