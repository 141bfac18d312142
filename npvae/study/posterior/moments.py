"""Mean and covariance of codes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix


@dataclass(frozen=True, eq=False)
class CodeMoments:
    """First and second moments of codes; for N(0, I) they are 0 and 1.

    Parameters
    ----------
    mean : (Z,) array
    mean_norm : float
        Euclidean length of `mean`.
    std : (Z,) array
        Standard deviation of each dimension.
    eigenvalues : (Z,) array
        Of the covariance, descending: the variances along the principal axes.
    n_codes : int
        N.
    """

    mean: np.ndarray
    mean_norm: float
    std: np.ndarray
    eigenvalues: np.ndarray
    n_codes: int


def code_moments(codes: npt.ArrayLike) -> CodeMoments:
    """Measure mean and covariance of codes.

    Parameters
    ----------
    codes : (N, Z) array, N >= 2
        As `draw_codes` or `transform` returns them.

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
    Cost: O(N Z^2). Traps: moments of 0 and 1 do not make a distribution normal. And a VAE's posterior means,
    which `transform` returns, spread less than z: where z follows N(0, I) exactly, they have variances
    1 - E[exp(log_var)]. To compare with N(0, I), take what `draw_codes` returns.

    Examples
    --------
    >>> moments = code_moments([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> moments.mean, moments.std, moments.eigenvalues
    (array([2., 1.]), array([2., 0.]), array([4., 0.]))
    """
    codes = as_matrix(codes, "codes", at_least=2)
    n_codes, latent_dim = codes.shape
    mean = codes.mean(axis=0)
    singular = np.linalg.svd(np.linalg.qr(codes - mean, mode="r"), compute_uv=False)
    eigenvalues = np.zeros(latent_dim)
    eigenvalues[: len(singular)] = singular**2 / (n_codes - 1)
    return CodeMoments(mean, float(np.linalg.norm(mean)), codes.std(axis=0, ddof=1), eigenvalues, n_codes)
