"""Interpolation between two latent points, or between two images."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from npvae.study.sample_arrays import check_count

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel


def interpolate(
    z0: npt.ArrayLike, z1: npt.ArrayLike, n: int, kind: Literal["linear", "spherical"] = "linear"
) -> np.ndarray:
    """Interpolate between two latent points in equal steps.

    Parameters
    ----------
    z0, z1 : (Z,) arrays
    n : int
        Number of points, including both ends; at least 2.
    kind : {"linear", "spherical"}
        Along the straight line, or along an arc around the origin.

    Returns
    -------
    Z : (n, Z) array, float32 if both ends are, else float64
        The first row is z0, the last is z1.

    Raises
    ------
    ValueError
        z0 and z1 are not vectors of the same length, n is not an integer of at least 2, or `kind` is unknown.

    Notes
    -----
    In many dimensions, draws from N(0, I) lie near the sphere of radius sqrt(Z), and the middle of a straight
    line lies well inside it, where a VAE has hardly any codes. With a the angle between the ends, the arc is

        z(t) = [sin((1 - t) a) z0 + sin(t a) z1] / sin(a),     0 <= t <= 1;

    which keeps the norm if both ends have the same. If sin(a) is 0 (parallel or opposite ends) or one end is
    the origin, there is no such arc, and the straight line is used.

    References
    ----------
    Shoemake (1985), Animating rotation with quaternion curves. White (2016), Sampling generative networks.

    Examples
    --------
    >>> interpolate([1.0, 0.0], [0.0, 1.0], 3)
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    z0, z1 = np.asarray(z0), np.asarray(z1)
    if z0.ndim != 1 or z0.shape != z1.shape:
        raise ValueError(
            f"z0 and z1 must be vectors of the same length, got shapes {z0.shape} and {z1.shape}"
        )
    if kind not in ("linear", "spherical"):
        raise ValueError(f'kind must be "linear" or "spherical", got {kind!r}')
    check_count(n, "n", at_least=2, width=len(z0))
    dtype = np.float32 if z0.dtype == z1.dtype == np.float32 else np.float64
    z0, z1 = z0.astype(np.float64), z1.astype(np.float64)
    t = np.linspace(0, 1, n)[:, None]
    angle = _angle(z0, z1)
    if kind == "linear" or np.sin(angle) < 1e-6:
        return ((1 - t) * z0 + t * z1).astype(dtype)
    weight0, weight1 = np.sin((1 - t) * angle) / np.sin(angle), np.sin(t * angle) / np.sin(angle)
    return (weight0 * z0 + weight1 * z1).astype(dtype)


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two vectors, in radians; 0 if one of them is zero."""
    norm_a, norm_b = np.linalg.norm(a), np.linalg.norm(b)
    if norm_a == 0 or norm_b == 0:
        return 0.0
    a, b = a / norm_a, b / norm_b
    return float(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))  # arccos is inaccurate near 0


def interpolate_images(
    estimator: "LatentVariableModel",
    x0: npt.ArrayLike,
    x1: npt.ArrayLike,
    n: int,
    kind: Literal["linear", "spherical"] = "linear",
) -> np.ndarray:
    """Interpolate between two images through the latent space.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    x0, x1 : (D,) arrays
        In the units of the training data; uint8 for pixels.
    n : int
        Number of images, including both ends; at least 2.
    kind : {"linear", "spherical"}
        As for `interpolate`.

    Returns
    -------
    X : (n, D) array
        Decoded points between the two codes. The first and last are reconstructions of x0 and x1.

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted, an image has another width, or as for `interpolate`.
    """
    z0, z1 = (estimator.transform(np.asarray(x)[None])[0] for x in (x0, x1))
    return estimator.inverse_transform(interpolate(z0, z1, n, kind))
