"""Distributions over the latent space: the prior, and densities fitted to the codes of data."""

from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix, check_count

_REGULARISATION = 1e-6  # added to the variances of a mixture's components, in units of the codes' variances
_MOST_CODES = 10_000  # codes used to fit a mixture


class Sampler(Protocol):
    """A distribution over the latent space."""

    def draw(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw latent points.

        Parameters
        ----------
        n_samples : int
        rng : Generator
            The same state gives the same bits.

        Returns
        -------
        Z : (n_samples, Z) array, float32

        Raises
        ------
        ValueError
            `n_samples` is not a positive integer.
        """


@dataclass(frozen=True)
class StandardNormal:
    """The prior N(0, I).

    Parameters
    ----------
    latent_dim : int
        Z.

    Examples
    --------
    >>> StandardNormal(2).draw(3, np.random.default_rng(0)).shape
    (3, 2)
    """

    latent_dim: int

    def __post_init__(self) -> None:
        check_count(self.latent_dim, "latent_dim")

    def draw(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw as described at `Sampler.draw`; gives the same bits as the estimators' method `sample`."""
        check_count(n_samples, "n_samples", width=self.latent_dim)
        return rng.standard_normal((n_samples, self.latent_dim), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class FittedGaussian:
    """A normal distribution with the mean and covariance of the codes.

    Parameters
    ----------
    mean : (Z,) array
    factor : (R, Z) array
        The covariance is factor^T factor. R is Z, or the number of codes if that is smaller.
    """

    mean: np.ndarray
    factor: np.ndarray

    @classmethod
    def fit(cls, codes: npt.ArrayLike, covariance: Literal["diagonal", "full"] = "full") -> Self:
        """Compute the mean and covariance of codes.

        Parameters
        ----------
        codes : (N, Z) array, N >= 2
        covariance : {"diagonal", "full"}
            "diagonal" treats the dimensions as independent.

        Returns
        -------
        FittedGaussian

        Raises
        ------
        ValueError
            There are fewer than two codes, a code is not finite, or `covariance` is unknown.

        Notes
        -----
        The centred codes are C = Q R, so the covariance is C^T C / (N - 1) = R^T R / (N - 1), and
        R / sqrt(N - 1) is a factor of it. The covariance may be singular: in an unused dimension all draws
        are equal.
        """
        codes = as_matrix(codes, "codes", at_least=2)
        mean = codes.mean(axis=0)
        if covariance == "diagonal":
            factor = np.diag(codes.std(axis=0, ddof=1))
        elif covariance == "full":
            factor = np.linalg.qr(codes - mean, mode="r") / np.sqrt(len(codes) - 1)
        else:
            raise ValueError(f'covariance must be "diagonal" or "full", got {covariance!r}')
        return cls(mean, factor)

    @property
    def covariance(self) -> np.ndarray:
        """The covariance, (Z, Z)."""
        return self.factor.T @ self.factor

    def draw(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw as described at `Sampler.draw`: mean + eps factor, with eps ~ N(0, I)."""
        check_count(n_samples, "n_samples", width=len(self.factor))
        eps = rng.standard_normal((n_samples, len(self.factor)))
        return (self.mean + eps @ self.factor).astype(np.float32)


@dataclass(frozen=True, eq=False)
class FittedMixture:
    """A mixture of K normal distributions with full covariances.

    Parameters
    ----------
    weights : (K,) array
        Positive, with sum 1.
    means : (K, Z) array
    factors : (K, Z, Z) array
        The covariance of component k is factors[k]^T factors[k].

    Notes
    -----
    If K is large and there are few codes per component, the mixture memorises codes, and its draws decode to
    training images, which makes the figures of sample quality too good. N / K should be well above Z.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    @classmethod
    def fit(cls, codes: npt.ArrayLike, n_components: int = 10, *, seed: int = 0) -> Self:
        """Fit by expectation maximisation, initialised by k-means (scikit-learn's GaussianMixture).

        Parameters
        ----------
        codes : (N, Z) array
            At most 10,000 of them, chosen at random, are used.
        n_components : int
            K.
        seed : int
            The same seed gives the same bits on the same machine.

        Returns
        -------
        FittedMixture

        Raises
        ------
        ValueError
            There are fewer distinct codes than components, a code is not finite, or `n_components` is not a
            positive integer.

        Warns
        -----
        ConvergenceWarning
            The fit did not converge in 500 iterations. It can still be used.

        Notes
        -----
        The dimensions are scaled to unit variance for the fit, and 10^-6 is added to the variances of every
        component, so the regularisation does not depend on units, and covariances may be singular. In an
        unused dimension all draws are equal. Cost: O(N K Z^2) per iteration; a few seconds for 10,000 codes
        in 50 dimensions.

        References
        ----------
        Ghosh et al. (2020), From variational to deterministic autoencoders, section 4: density estimation
        after the training ("ex-post").
        """
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        check_count(n_components, "n_components")
        codes = as_matrix(codes, "codes")
        rng = np.random.default_rng(seed)
        if len(codes) > _MOST_CODES:
            codes = codes[np.sort(rng.choice(len(codes), _MOST_CODES, replace=False))]
        n_distinct = len(np.unique(codes, axis=0))
        if n_distinct < n_components:
            raise ValueError(
                f"a mixture of {n_components} components needs at least {n_components} distinct codes, got "
                f"{n_distinct} among {len(codes)}; use fewer components"
            )
        mean, scale = codes.mean(axis=0), codes.std(axis=0)
        mixture = GaussianMixture(
            n_components, reg_covar=_REGULARISATION, max_iter=500, random_state=int(rng.integers(2**31))
        )
        with threadpool_limits(limits=1):  # the order of sums in k-means depends on it
            mixture.fit((codes - mean) / np.where(scale > 0, scale, 1))
        factors = np.linalg.cholesky(mixture.covariances_).transpose(0, 2, 1) * scale
        return cls(mixture.weights_ / mixture.weights_.sum(), mean + scale * mixture.means_, factors)

    def draw(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw as described at `Sampler.draw`: first a component, then a point from it."""
        check_count(n_samples, "n_samples", width=self.means.shape[1])
        components = rng.choice(len(self.weights), size=n_samples, p=self.weights)
        Z = rng.standard_normal((n_samples, self.means.shape[1]))
        for k, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            rows = components == k
            Z[rows] = mean + Z[rows] @ factor
        return Z.astype(np.float32)


@dataclass(frozen=True, eq=False)
class ResampledCodes:
    """The empirical distribution of the codes.

    Parameters
    ----------
    codes : (N, Z) array

    Notes
    -----
    With one draw from each q(z | x), it samples the aggregate posterior q(z) = (1/N) sum_n q(z | x_n), which
    the prior should match. With the codes from `transform`, its draws decode to reconstructions. Both need
    the training data and reproduce it, so they are an upper limit for the other samplers rather than a way
    to generate new data.
    """

    codes: np.ndarray

    @classmethod
    def fit(cls, codes: npt.ArrayLike) -> Self:
        """Store the codes (N, Z).

        Raises
        ------
        ValueError
            There are no codes, or one is not finite.
        """
        return cls(as_matrix(codes, "codes"))

    def draw(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Draw as described at `Sampler.draw`, without replacement until all codes are used."""
        check_count(n_samples, "n_samples", width=self.codes.shape[1])
        n_rounds = -(-n_samples // len(self.codes))
        rows = np.concatenate([rng.permutation(len(self.codes)) for _ in range(n_rounds)])
        return self.codes[rows[:n_samples]].astype(np.float32)
