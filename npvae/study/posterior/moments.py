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
    codes = as_matrix(codes, "codes", at_least=2)
    n_codes, latent_dim = codes.shape
    mean = codes.mean(axis=0)
    singular = np.linalg.svd(np.linalg.qr(codes - mean, mode="r"), compute_uv=False)
    eigenvalues = np.zeros(latent_dim)
    eigenvalues[: len(singular)] = singular**2 / (n_codes - 1)
    return CodeMoments(mean, float(np.linalg.norm(mean)), codes.std(axis=0, ddof=1), eigenvalues, n_codes)
