"""Latent traversals: vary one latent dimension at a time, with the others fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.memory import check_fits
from npvae.study.posterior.information import kl_per_dimension
from npvae.study.sample_arrays import as_matrix, check_count

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel

_MOST_DIMS = 8  # default number of dimensions


@dataclass(frozen=True, eq=False)
class Traversal:
    """Decoded points on lines through one latent point, each along an axis.

    Parameters
    ----------
    dims : (R,) array of int
        The dimension of each row, counted from 0.
    centre : (Z,) array
        The point in the middle of all rows.
    values : (R, C) array
        Values of each row's dimension, ascending; C is odd, and the middle value is the centre's.
    activity : (R,) array or None
        How much each row's dimension is used: for a VAE its mean KL in nats (None without data), for an AE
        the codes' standard deviation.
    points : (R, C, Z) array
    images : (R, C, D) array
        E[x | z] of each point, in the units of the training data.
    """

    dims: np.ndarray
    centre: np.ndarray
    values: np.ndarray
    activity: np.ndarray | None
    points: np.ndarray
    images: np.ndarray


def traverse(
    estimator: "LatentVariableModel",
    x: npt.ArrayLike | None = None,
    X: npt.ArrayLike | None = None,
    *,
    dims: Sequence[int] | None = None,
    n_steps: int = 11,
    tail: float = 0.01,
) -> Traversal:
    """Vary one latent dimension at a time around the code of an image, and decode.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    x : (D,) array, optional
        The image whose code is the centre; uint8 for pixels. By default the centre is the origin for a VAE,
        and the mean code of X for an AE.
    X : (N, D) array, N >= 2, optional
        Data. Required for an AE, where the range of each dimension is that of the codes. For a VAE it
        determines which dimensions are used.
    dims : sequence of int, optional
        Dimensions, counted from 0, in the order of the rows. By default the 8 most active ones, most active
        first: by mean KL for a VAE, by the codes' standard deviation for an AE. For a VAE without X, the
        first 8.
    n_steps : int
        Odd, at least 3.
    tail : float between 0 and 0.5
        A row extends from the quantile `tail` to the quantile 1 - `tail`, of N(0, 1) for a VAE, of the codes
        of X for an AE. For N(0, 1), 0.01 means -2.33 to 2.33, and 0.00135 means -3 to 3.

    Returns
    -------
    Traversal

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted; x or X has another width or is not finite; X is missing for an AE; a
        dimension does not exist; `n_steps` or `tail` is out of range.

    Notes
    -----
    Row r, column c is decoded from z with z_d = values[r, c] for d = dims[r], and z_j = centre_j for all j
    other than d. Steps from the lower end to the centre are equal, and so are those from the centre to the
    upper end. If the centre lies beyond an end, the values on that side are all the centre's. The middle
    column is the reconstruction of x in every row.

    Cost: R C passes through the decoder, and one of X through the encoder. Limits: single dimensions of an AE
    have no meaning of their own, as any invertible linear map of its codes would do as well. In a VAE, an
    unused dimension (KL near 0) does not change the image.

    References
    ----------
    Higgins et al. (2017), beta-VAE, figures 1 to 4.
    """
    from sklearn.utils.validation import check_is_fitted

    from npvae.estimators import VAE

    check_is_fitted(estimator, "params_")
    latent_dim = estimator.network_.latent_dim
    _check(n_steps, tail, dims, latent_dim)
    if isinstance(estimator, VAE):
        centre = np.zeros(latent_dim, dtype=np.float32)
        low, high = np.outer(
            [NormalDist().inv_cdf(tail), NormalDist().inv_cdf(1 - tail)], np.ones(latent_dim)
        )
        activity = None if X is None else kl_per_dimension(*estimator.encode(X))
    else:
        codes = _codes_of_data(estimator, X)
        centre = codes.mean(axis=0)
        low, high = np.quantile(codes, [tail, 1 - tail], axis=0)
        activity = codes.std(axis=0, ddof=1)
    if x is not None:
        centre = estimator.transform(np.asarray(x)[None])[0]
    order = np.arange(latent_dim) if activity is None else np.argsort(-activity, kind="stable")
    rows = order[:_MOST_DIMS] if dims is None else np.asarray(dims)
    check_fits(4 * len(rows) * n_steps * (latent_dim + estimator.n_features_in_), f"n_steps={n_steps}")

    half = n_steps // 2
    below = np.linspace(np.minimum(low, centre), centre, half + 1)[:, rows]
    above = np.linspace(centre, np.maximum(centre, high), half + 1)[:, rows]
    values = np.concatenate([below, above[1:]]).T.astype(centre.dtype)
    points = np.tile(centre, (len(rows), n_steps, 1))
    for row, d in enumerate(rows):
        points[row, :, d] = values[row]
    images = estimator.inverse_transform(points.reshape(-1, latent_dim)).reshape(len(rows), n_steps, -1)
    return Traversal(rows, centre, values, None if activity is None else activity[rows], points, images)


def _check(n_steps: int, tail: float, dims: Sequence[int] | None, latent_dim: int) -> None:
    check_count(n_steps, "n_steps", at_least=3)
    if n_steps % 2 == 0:
        raise ValueError(f"n_steps must be odd, so that the centre is in the middle; got {n_steps}")
    if not 0 < tail < 0.5:
        raise ValueError(f"tail must be between 0 and 0.5, got {tail!r}")
    if dims is None:
        return
    if len(dims) == 0:
        raise ValueError("dims is empty; give at least one dimension, or None for the most active ones")
    for d in dims:
        if not isinstance(d, int | np.integer) or isinstance(d, bool) or not 0 <= d < latent_dim:
            raise ValueError(f"dims must be integers from 0 to {latent_dim - 1}, got {d!r}")


def _codes_of_data(estimator: "LatentVariableModel", X: npt.ArrayLike | None) -> np.ndarray:
    """Return the codes of X in float64."""
    if X is None:
        raise ValueError("a traversal of an AE needs X, whose codes give the range of each dimension")
    return as_matrix(estimator.transform(X), "the codes of X", at_least=2)
