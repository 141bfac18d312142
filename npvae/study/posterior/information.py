"""Information in the encoder's q(z | x): KL per dimension, active units, mutual information I(x; z)."""

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.core.gaussian import reparameterize_forward
from npvae.core.likelihoods import LOG_2PI
from npvae.study.sample_arrays import as_matrix, check_same_width

if TYPE_CHECKING:
    from npvae.estimators.inputs import RandomState

LEAST_VARIANCE = 0.01  # of a posterior mean over the samples; above it, a dimension is active
LARGEST_LOG_VAR = 300  # absolute value; products of three such exponentials are finite in float64
_PAIRS = 2**18  # pairs of a draw and a component per block
_NEGLIGIBLE = -700.0  # smallest exponent used: below -708, exp gives subnormal numbers, which are slow


class Estimate(NamedTuple):
    """A mean and its standard error, in the same units. With one sample, the standard error is NaN."""

    value: float
    standard_error: float

    @classmethod
    def mean_of(cls, samples: np.ndarray) -> Self:
        """Return the mean of samples (N,), and their standard deviation divided by sqrt(N)."""
        n = len(samples)
        with np.errstate(over="ignore", invalid="ignore"):  # infinite samples have no standard deviation
            error = samples.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
            return cls(float(samples.mean()), float(error))


class RunningMean:
    """The mean and variance of samples, (n,) or (n, k), that come in runs."""

    def __init__(self) -> None:
        self._n, self._squares = 0, np.zeros(())
        self.mean = np.zeros(())

    def add(self, samples: np.ndarray) -> None:
        """Add a run of at least one sample, float64."""
        n, mean, before = len(samples), samples.mean(axis=0), self._n
        with np.errstate(over="ignore", invalid="ignore"):  # infinite samples have no standard deviation
            between = (mean - self.mean) ** 2 * (before * n / (before + n))
            self._squares = self._squares + n * samples.var(axis=0) + between
            self.mean = (before * self.mean + n * mean) / (before + n)
        self._n += n

    @property
    def variance(self) -> np.ndarray:
        """With n - 1 in the denominator."""
        return self._squares / (self._n - 1)

    def estimate(self) -> Estimate:
        """Return the mean of all samples so far, at least two, and its standard error."""
        return Estimate(float(self.mean), float(np.sqrt(self.variance / self._n)))


def kl_per_dimension(mu: npt.ArrayLike, log_var: npt.ArrayLike) -> np.ndarray:
    """Compute the KL divergence to the prior of each latent dimension.

    Parameters
    ----------
    mu, log_var : (N, Z) arrays
        From `VAE.encode`; log_var from -300 to 300.

    Returns
    -------
    kl : (Z,) array
        Mean over the samples of KL(q(z_j | x) || N(0, 1)), in nats. The sum is the mean KL.

    Raises
    ------
    ValueError
        The shapes differ, or a number is not finite or out of range.

    Notes
    -----
    KL_j = (1/N) sum_n (mu_nj^2 + e^v_nj - 1 - v_nj) / 2  with  v = log_var; see `npvae.core.gaussian`.
    Cost: O(N Z).
    """
    mu, log_var = as_posteriors(mu, log_var)
    return (mu * mu + np.expm1(log_var) - log_var).mean(axis=0) / 2


def active_units(mu: npt.ArrayLike, threshold: float = LEAST_VARIANCE) -> np.ndarray:
    """Find the latent dimensions whose posterior mean depends on x.

    Parameters
    ----------
    mu : (N, Z) array, N >= 2
        Posterior means.
    threshold : float
        Variance above which a dimension is active.

    Returns
    -------
    active : (Z,) array of bool
        True if the variance of mu over the samples (N - 1 in the denominator) is above the threshold.

    Raises
    ------
    ValueError
        There are fewer than two rows, or a number is not finite.

    Notes
    -----
    A_j = Var_x(E[z_j | x]) > 0.01. The result hardly depends on the threshold, as the variances of trained
    models are near 0 or near 1. Cost: O(N Z). Not meaningful for an autoencoder, whose codes have no fixed
    scale.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, section 5.2.

    Examples
    --------
    >>> active_units([[1.0, 0.1], [-1.0, 0.1], [0.0, 0.2]])
    array([ True, False])
    """
    return as_matrix(mu, "mu", at_least=2).var(axis=0, ddof=1) > threshold


def mutual_information(
    mu: npt.ArrayLike, log_var: npt.ArrayLike, *, random_state: "RandomState" = None
) -> Estimate:
    """Estimate the mutual information between z and x, with x uniform over the N samples.

    Parameters
    ----------
    mu, log_var : (N, Z) arrays, N >= 2
        From `VAE.encode`; log_var from -300 to 300.
    random_state : int, Generator or RandomState, optional
        Seed of the one draw of z for each sample. None: different in every call.

    Returns
    -------
    Estimate
        In nats, never above ln N.

    Raises
    ------
    ValueError
        The shapes differ, there are fewer than two samples, or a number is not finite or out of range.

    Notes
    -----
    With x uniform over the N samples, z has the density q_N(z) = (1/N) sum_j q(z | x_j), and

        I(x; z) = E[ ln q(z | x) - ln q_N(z) ],    x uniform, z ~ q(z | x),
        mean KL(q(z | x) || p(z)) = I(x; z) + KL(q_N(z) || p(z)).

    So the KL term of the loss is the information that z carries about x, plus the distance of the aggregate
    posterior from the prior. All N components are in the mixture. The standard error is the terms' standard
    deviation over sqrt(N), and includes the spread between samples as well as that of the draws.

    Limit: q_N(z) >= q(z | x) / N, so I(x; z) <= ln N. A value near ln N means that each z identifies its x,
    and that N samples are too few to measure the mutual information.

    Cost: N^2 exponentials and two matrix products of N^2 Z; about 2 s for 10,000 samples in 50 dimensions.
    Memory: a few MB, and some arrays of (N, Z).

    References
    ----------
    Hoffman & Johnson (2016), ELBO surgery, section 2.
    """
    from npvae.estimators.inputs import make_generator

    mu, log_var = as_posteriors(mu, log_var, at_least=2)
    return Estimate.mean_of(information_of_samples(mu, log_var, make_generator(random_state)))


def information_of_samples(mu: np.ndarray, log_var: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ln q(z_n | x_n) - ln q_N(z_n), (N,), for one draw z_n of each q(z | x_n)."""
    eps = rng.standard_normal(mu.shape)
    z, _ = reparameterize_forward(mu, log_var, eps)
    own = -(eps * eps + log_var + LOG_2PI).sum(axis=1) / 2
    return own - log_mixture_density(z, mu, log_var, own)


def log_mixture_density(
    z: np.ndarray, mu: np.ndarray, log_var: np.ndarray, own: np.ndarray | None = None
) -> np.ndarray:
    """Compute ln (1/N) sum_j N(z_m; mu_j, diag(exp(log_var_j))) of each row of z.

    Parameters
    ----------
    z : (M, Z) array, float64
    mu, log_var : (N, Z) arrays, float64
    own : (N,) array, optional
        Log density of component m at z_m, if it is known and M = N. It replaces the value from the matrix
        product, which is inaccurate for very small variances.

    Returns
    -------
    log_density : (M,) array
        In nats.

    Notes
    -----
    With P = exp(-log_var), the logarithm of component j at z is a product of two vectors,

        -(1/2) [ z^2 . P_j - 2 z . (mu_j P_j) + mu_j^2 . P_j + sum(log_var_j) + Z ln(2 pi) ],

    so all of them are one matrix product, and no (M, N, Z) array is needed. If z is close to mu_j, digits
    cancel; values that rounding puts above the density at the component's mean are clipped to it.
    """
    n, latent_dim = mu.shape
    centre = mu.mean(axis=0)  # smaller numbers cancel after centring
    mu, z = mu - centre, z - centre
    precision = np.exp(-log_var)
    at_the_mean = -(log_var.sum(axis=1) + latent_dim * LOG_2PI) / 2
    of_z = np.concatenate([z * z, z, np.ones((len(z), 1))], axis=1)
    offset = at_the_mean - (mu * mu * precision).sum(axis=1) / 2
    components = np.concatenate([-precision / 2, mu * precision, offset[:, None]], axis=1).T
    result = np.empty(len(z))
    rows = max(_PAIRS // n, 1)
    with threadpool_limits(limits=1, user_api="blas"):  # for the same bits with any number of threads
        for start in range(0, len(z), rows):
            some = slice(start, start + rows)
            logs = of_z[some] @ components
            np.minimum(logs, at_the_mean, out=logs)
            if own is not None:
                m = len(logs)
                logs[np.arange(m), np.arange(start, start + m)] = own[some]
            largest = logs.max(axis=1)
            logs -= largest[:, None]
            np.maximum(logs, _NEGLIGIBLE, out=logs)
            result[some] = largest + np.log(np.exp(logs, out=logs).sum(axis=1) / n)
    return result


def as_posteriors(
    mu: npt.ArrayLike, log_var: npt.ArrayLike, *, at_least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return mu and log_var as (N, Z) float64; raise ValueError if they are unsuitable."""
    mu, log_var = as_matrix(mu, "mu", at_least=at_least), as_matrix(log_var, "log_var", at_least=at_least)
    check_same_width(mu, log_var, ("mu", "log_var"))
    if len(mu) != len(log_var):
        raise ValueError(
            f"mu and log_var must have the same number of rows, got {len(mu)} and {len(log_var)}"
        )
    largest = np.abs(log_var).max()
    if largest > LARGEST_LOG_VAR:
        raise ValueError(
            f"log_var must be at most {LARGEST_LOG_VAR} in absolute value, got {largest:.3g}; "
            "the model has diverged, or the data are far outside its training data"
        )
    return mu, log_var
