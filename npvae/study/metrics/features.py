"""Feature spaces in which samples are compared with data."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix, check_count


@dataclass(frozen=True, eq=False)
class PrincipalFeatures:
    """Coordinates along the principal components of real data, without whitening.

    Parameters
    ----------
    mean : (D,) array
        Mean of the real data.
    components : (k, D) array
        Orthonormal rows, in the order of descending variance.
    variances : (k,) array
        Variances of the real data along the components, in its units squared.
    explained : float in (0, 1]
        Share of the real data's total variance along the k components.

    Notes
    -----
    Limit: differences orthogonal to the components are lost. Noise in all pixels of a sample, for example,
    hardly changes its features.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    explained: float

    @classmethod
    def fit(cls, X_real: npt.ArrayLike, n_components: int = 50) -> Self:
        """Find the principal components of real data (scikit-learn's PCA).

        Parameters
        ----------
        X_real : (N, D) array, N >= 2
            uint8 for pixels, which are scaled to [0, 1], or floats.
        n_components : int
            k; at most D and N - 1 are used.

        Returns
        -------
        PrincipalFeatures

        Raises
        ------
        ValueError
            X_real has fewer than two rows, is not finite or has no variance; `n_components` is not a
            positive integer.

        Notes
        -----
        Cost: O(N D min(N, D)), and two float64 copies of X_real; 10,000 rows are enough. Deterministic, as no
        randomised solver is used.
        """
        from sklearn.decomposition import PCA

        check_count(n_components, "n_components")
        rows = as_matrix(X_real, "X_real", at_least=2)
        if (rows == rows[0]).all():
            raise ValueError("all rows of X_real are the same; there are no principal components")
        n_samples, n_features = rows.shape
        solver = "covariance_eigh" if n_samples > n_features else "full"
        pca = PCA(min(n_components, n_features, n_samples - 1), svd_solver=solver).fit(rows)
        explained = float(min(pca.explained_variance_ratio_.sum(), 1))
        return cls(pca.mean_, pca.components_, pca.explained_variance_, explained)

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Return the coordinates of X.

        Parameters
        ----------
        X : (N, D) array
            uint8 for pixels, or floats in the units of the data fitted to.

        Returns
        -------
        features : (N, k) array, float64

        Raises
        ------
        ValueError
            X has another number of columns, or is not finite.
        """
        rows = as_matrix(X, "X")
        if rows.shape[1] != len(self.mean):
            raise ValueError(
                f"X must have {len(self.mean)} columns, as the data fitted to, got {rows.shape[1]}"
            )
        return (rows - self.mean) @ self.components.T
