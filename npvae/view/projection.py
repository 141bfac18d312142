"""Codes of any width to the two coordinates of a picture."""

import numpy as np


def picture_axes(codes: np.ndarray) -> np.ndarray:
    """Return two orthonormal directions of latent space that show the codes.

    Parameters
    ----------
    codes : (N, Z) array, Z >= 2

    Returns
    -------
    axes : (Z, 2) array
        For Z = 2 the latent axes themselves; otherwise the two principal directions of the codes, the
        one with the larger variance first.

    Raises
    ------
    ValueError
        If `codes` is not (N, Z) with N >= 1 and Z >= 2.

    Notes
    -----
    ``codes @ axes`` are coordinates about the origin, not about the codes' mean. If z ~ N(0, I) and the
    columns of A are orthonormal, then A^T z has covariance A^T I A = I: the shadow of N(0, I) on these
    axes is N(0, I) again, and the same circles are its contours in every picture.

    Examples
    --------
    >>> picture_axes(np.array([[0.0, 0.0, 9.0], [0.0, 1.0, 0.0], [0.0, 0.0, -9.0]])).round(6) + 0
    array([[0., 0.],
           [0., 1.],
           [1., 0.]])
    """
    if codes.ndim != 2 or len(codes) == 0 or codes.shape[1] < 2:
        raise ValueError(f"codes must be (N, Z) with N >= 1 and Z >= 2, but are {codes.shape}")
    if codes.shape[1] == 2:
        return np.eye(2)
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, :-3:-1]
    largest = axes[np.argmax(np.abs(axes), axis=0), [0, 1]]
    return axes * np.sign(
        largest
    )  # an eigenvector's sign is arbitrary: fix it, so that pictures can be compared
