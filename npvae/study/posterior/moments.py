"""Mean and covariance of codes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix


@dataclass(frozen=True, eq=False)
class CodeMoments:
    """First and second moments of codes. For N(0, I) the mean is 0, and variances and eigenvalues are 1.

    Parameters
    ----------
    mean : (Z,) array
    mean_norm : float
        Euclidean length of `mean`.
    std : (Z,) array
        Standard deviation of each dimension.
    eigenvalues : (Z,) array
        Eigenvalues of the covariance, descending: the variances along the principal axes.
    n_codes : int
        N.
    """

    mean: np.ndarray
    mean_norm: float
    std: np.ndarray
    eigenvalues: np.ndarray
    n_codes: int


def code_moments(codes: npt.ArrayLike) -> CodeMoments:
    """Compute the mean, standard deviations and covariance eigenvalues of codes.

    Parameters
    ----------
    codes : (N, Z) array, N >= 2
        From `draw_codes` or `transform`.

    Returns
    -------
    CodeMoments
        Variances have N - 1 in the denominator. Units are those of the latent space.

    Raises
    ------
    ValueError
        There are fewer than two codes, or a code is not finite.

    Notes
    -----
    Cost: O(N Z^2). Limits: a distribution with these moments need not be normal. A VAE's posterior means,
    which `transform` returns, have smaller variances than z: 1 - E[exp(log_var)] if z follows N(0, I)
    exactly. To compare with N(0, I), use `draw_codes`.

    Examples
    --------
    >>> moments = code_moments([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> moments.mean, moments.std, moments.eigenvalues
    (array([2., 1.]), array([2., 0.]), array([4., 0.]))
    """
    moments = RunningMoments()
    moments.add(as_matrix(codes, "codes", at_least=2))
    return moments.result()


class RunningMoments:
    """The moments of codes that come in runs.

    Notes
    -----
    With C the centred codes so far and C = Q R, R has all that variances and covariances need: R^T R = C^T C.
    For two sets of n and m rows whose means differ by d, the squares about the common mean are
    C^T C + D^T D + d d^T n m / (n + m), so R of both is R of the rows of R, of D, and of
    d sqrt(n m / (n + m)).
    """

    def __init__(self) -> None:
        self._n = 0
        self._mean: np.ndarray = np.zeros(0)
        self._root: np.ndarray = np.zeros((0, 0))

    def add(self, codes: np.ndarray) -> None:
        """Add codes (n, Z), float64."""
        n, mean = len(codes), codes.mean(axis=0)
        rows = codes - mean
        if self._n:
            difference = (mean - self._mean) * np.sqrt(self._n * n / (self._n + n))
            rows = np.concatenate([self._root, rows, difference[None]])
            mean = (self._n * self._mean + n * mean) / (self._n + n)
        self._n, self._mean, self._root = self._n + n, mean, np.asarray(np.linalg.qr(rows, mode="r"))

    def result(self) -> CodeMoments:
        """Return the moments of all codes so far, of which there must be two."""
        n, mean = self._n, self._mean
        singular = np.linalg.svd(self._root, compute_uv=False)
        eigenvalues = np.zeros(len(mean))
        eigenvalues[: len(singular)] = singular**2 / (n - 1)
        std = np.sqrt(np.einsum("rz,rz->z", self._root, self._root) / (n - 1))
        return CodeMoments(mean, float(np.linalg.norm(mean)), std, eigenvalues, n)
