"""The Fréchet distance between two sets of features, each modelled by a Gaussian."""

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix, check_same_width


def frechet_distance(features_a: npt.ArrayLike, features_b: npt.ArrayLike) -> float:
    """Compute the squared Fréchet distance between the Gaussians fitted to two sets of features.

    Parameters
    ----------
    features_a, features_b : (N, k), (M, k) arrays, N, M >= 2
        For example from `PrincipalFeatures.transform`. The order of the rows does not matter.

    Returns
    -------
    distance : float
        In the features' units squared; 0 if means and covariances are equal.

    Raises
    ------
    ValueError
        The widths differ, a set has fewer than two rows, or a number is not finite.

    Notes
    -----
    With means m and covariances A, B (N - 1 in the denominator),

        d^2 = |m_a - m_b|^2 + tr A + tr B - 2 tr((A^1/2 B A^1/2)^1/2).

    Let A = R_a^T R_a and B = R_b^T R_b, with R from the QR decomposition of the centred features. The last
    trace is the sum of the singular values of R_a R_b^T: each R is Q S with Q orthogonal and S the symmetric
    square root, so these are the singular values of A^1/2 B^1/2, and their squares the eigenvalues of
    A^1/2 B A^1/2. This avoids the square root of a product of covariances, which rounding can make complex,
    and also holds for singular covariances.

    Cost: O(N k^2). Limits: it is biased upwards, more so for fewer samples, so compare at equal N; distances
    in different features cannot be compared; sets with equal first and second moments have distance 0, even
    if their distributions differ.

    References
    ----------
    Heusel et al. (2017), GANs trained by a two time-scale update rule, equation 6.
    Dowson & Landau (1982), The Fréchet distance between multivariate normal distributions.

    Examples
    --------
    >>> square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(frechet_distance(square, square + [3, 4]), 9)
    25.0
    """
    a = as_matrix(features_a, "features_a", at_least=2)
    b = as_matrix(features_b, "features_b", at_least=2)
    check_same_width(a, b, ("features_a", "features_b"))
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    R_a, R_b = _root(a - mean_a), _root(b - mean_b)
    traces = np.sum(R_a**2) + np.sum(R_b**2)
    cross = np.linalg.svd(R_a @ R_b.T, compute_uv=False).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + traces - 2 * cross
    return max(float(distance), 0.0)  # rounding can make it slightly negative


def _root(centred: np.ndarray) -> np.ndarray:
    """Return R with R^T R the covariance of centred rows."""
    return np.linalg.qr(centred, mode="r") / np.sqrt(len(centred) - 1)
