"""The decoded plane: what a decoder with two latent dimensions makes of every place in a region."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix, check_count

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel


def latent_plane(n_side: int, codes: npt.ArrayLike | None = None) -> np.ndarray:
    """Return a grid over the plane whose columns, and rows, stand for the same probability each.

    Parameters
    ----------
    n_side : int
        Points in each direction.
    codes : (N, 2) array, optional
        Without them the probability is that of N(0, I), and with them their own: for an AE.

    Returns
    -------
    Z : (n_side, n_side, 2) array, float32
        As a picture is read: z1 grows from left to right, and the first row, at the top, has the largest z2.

    Raises
    ------
    ValueError
        `n_side` is not a positive integer; the codes are no finite pairs, or take so few values that points
        of the grid coincide.

    Notes
    -----
    The coordinates are the quantiles at (i + 1/2) / n_side, i = 0 .. n_side - 1, of N(0, 1) or of the codes'
    two dimensions, each by itself. Traps: an AE's codes may all lie outside of the grid of N(0, I), or in one
    corner; and where the dimensions depend on each other, a grid over the codes has points far from any code.

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
                f"the codes take too few values in one dimension for {n_side} different quantiles; take fewer"
            )
    return np.stack(np.meshgrid(z1, z2[::-1]), axis=-1)


def decode_plane(
    estimator: "LatentVariableModel",
    n_side: int,
    codes: npt.ArrayLike | None = None,
) -> np.ndarray:
    """Decode `latent_plane`.

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
        The estimator is not fitted; its latent space is not a plane; or as for `latent_plane`.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, "params_")
    if estimator.network_.latent_dim != 2:
        raise ValueError(f"a plane needs a model with latent_dim=2, got {estimator.network_.latent_dim}")
    X = estimator.inverse_transform(latent_plane(n_side, codes).reshape(-1, 2))
    return X.reshape(n_side, n_side, -1)
