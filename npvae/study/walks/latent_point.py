"""Decode one latent point, and find the code nearest to it."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import as_matrix

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel


def decode_point(estimator: "LatentVariableModel", z: npt.ArrayLike) -> np.ndarray:
    """Decode one latent point.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    z : (Z,) array
        For example (-2.5, 2) for ``latent_dim=2``.

    Returns
    -------
    x : (D,) array
        E[x | z], in the units of the training data.

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted, or z does not have `latent_dim` finite numbers.
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, "params_")
    latent_dim = estimator.network_.latent_dim
    point = np.asarray(z, dtype=np.float64)
    if point.shape != (latent_dim,):
        got = f"{len(point)}" if point.ndim == 1 else f"an array of shape {point.shape}"
        raise ValueError(
            f"z must have {latent_dim} numbers, as the model has latent_dim={latent_dim}; got {got}"
        )
    return estimator.inverse_transform(point[None])[0]


def nearest_code(codes: npt.ArrayLike, z: npt.ArrayLike) -> tuple[int, float]:
    """Find the code nearest to a point.

    Parameters
    ----------
    codes : (N, Z) array
    z : (Z,) array

    Returns
    -------
    index : int
        Row of `codes`; the first if several are equally near.
    distance : float
        Euclidean, in the units of the latent space.

    Raises
    ------
    ValueError
        z does not have the length of a code, or a number is not finite.

    Notes
    -----
    Cost: O(N Z). Distances in different latent spaces cannot be compared; relate them to `CodeMoments.std`.

    Examples
    --------
    >>> nearest_code([[0.0, 0.0], [3.0, 4.0]], [3.0, 5.0])
    (1, 1.0)
    """
    codes = as_matrix(codes, "codes")
    point = np.asarray(z, dtype=np.float64)
    if point.shape != codes.shape[1:] or not np.isfinite(point).all():
        raise ValueError(f"z must have {codes.shape[1]} finite numbers, like the codes; got {z!r}")
    distances = np.linalg.norm(codes - point, axis=1)
    index = int(distances.argmin())
    return index, float(distances[index])
