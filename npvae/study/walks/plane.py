"""Decode a grid of points in a two-dimensional latent space."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.memory import check_fits
from npvae.study.sample_arrays import as_matrix, check_count

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel


def latent_plane(n_side: int, codes: npt.ArrayLike | None = None) -> np.ndarray:
    """Return a grid of latent points at equally spaced quantiles in both dimensions.

    Parameters
    ----------
    n_side : int
        Points in each direction.
    codes : (N, 2) array, optional
        Use the quantiles of these codes, for an AE. By default those of N(0, I).

    Returns
    -------
    Z : (n_side, n_side, 2) array, float32
        In the layout of a picture: z1 rises from left to right, and the first row, the top, has the largest
        z2.

    Raises
    ------
    ValueError
        `n_side` is not a positive integer; the codes are not (N, 2) or not finite, or have so few values that
        quantiles coincide.

    Notes
    -----
    The coordinates are the quantiles at (i + 1/2) / n_side, i = 0 .. n_side - 1, of N(0, 1), or of each
    dimension of the codes separately. Limits: an AE's codes may all lie outside the grid of N(0, I), or in a
    corner of it; if the two dimensions of the codes are dependent, a grid over them has points far from any
    code.

    References
    ----------
    Kingma & Welling (2014), figure 4.

    Examples
    --------
    >>> latent_plane(3)[:, 0].round(2)
    array([[-0.97,  0.97],
           [-0.97,  0.  ],
           [-0.97, -0.97]], dtype=float32)
    """
    check_count(n_side, "n_side")
    check_fits(2 * 4 * int(n_side) ** 2, f"n_side={n_side}")
    shares = (np.arange(n_side) + 0.5) / n_side
    if codes is None:
        z1 = z2 = np.array([NormalDist().inv_cdf(share) for share in shares], dtype=np.float32)
    else:
        codes = as_matrix(codes, "codes")
        if codes.shape[1] != 2:
            raise ValueError(f"codes of a plane must have 2 columns, got {codes.shape[1]}")
        z1, z2 = np.quantile(codes, shares, axis=0).astype(np.float32).T
        if np.any(np.diff([z1, z2]) <= 0):
            raise ValueError(
                f"the codes have too few distinct values in one dimension for {n_side} different quantiles; "
                "use a smaller grid"
            )
    return np.stack(np.meshgrid(z1, z2[::-1]), axis=-1)


def decode_plane(
    estimator: "LatentVariableModel",
    n_side: int,
    codes: npt.ArrayLike | None = None,
) -> np.ndarray:
    """Decode the grid of `latent_plane`.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted, with ``latent_dim=2``.
    n_side : int
        Images in each direction.
    codes : (N, 2) array, optional
        As for `latent_plane`.

    Returns
    -------
    X : (n_side, n_side, D) array, float32
        In the order of `latent_plane`: the first row is the top.

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted, does not have two latent dimensions, or as for `latent_plane`.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, "params_")
    if estimator.network_.latent_dim != 2:
        raise ValueError(f"a plane needs a model with latent_dim=2, got {estimator.network_.latent_dim}")
    check_fits(4 * int(n_side) ** 2 * estimator.n_features_in_, f"n_side={n_side}")
    X = estimator.inverse_transform(latent_plane(n_side, codes).reshape(-1, 2))
    return X.reshape(n_side, n_side, -1)
