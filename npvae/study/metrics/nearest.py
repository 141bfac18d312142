"""The training images nearest to a sample: has the model made something, or remembered it."""

import numpy as np
import numpy.typing as npt

from npvae.study.validation import as_matrix, check_count, check_same_width

_TRAINING_ROWS, _SAMPLES = 2048, 512  # of which distances are held at once


def nearest_images(X_train: npt.ArrayLike, samples: npt.ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the training images nearest to each sample, in pixels.

    Parameters
    ----------
    X_train : (N, D) array, N >= k
        uint8 for pixels 0..255, which count as [0, 1]. It may be a memory map larger than memory.
    samples : (M, D) array
        In the same units, or uint8.
    k : int
        How many for each sample.

    Returns
    -------
    indices : (M, k) array of int
        Rows of X_train, the nearest first; of equally near ones, the first.
    distances : (M, k) array, float64
        Euclidean, in the data's units; pixels in [0, 1].

    Raises
    ------
    ValueError
        The widths differ, there are fewer than k training images, a number is not finite, or k is not a
        positive integer.

    Notes
    -----
    With x the training images and y the samples, all distances of a block come from one product,

        |x - y|^2 = |x|^2 - 2 x . y + |y|^2,

    which is off by at most (D + 4) u (|x| + |y|)^2, with u the unit roundoff. Whatever may be among the k
    nearest within that error is measured again as |x - y|. So the result is exact: a copy is at distance 0.

    Cost: O(N M D), a few seconds for N = 60,000, D = 784 and M = 1000. Memory: some 60 MB, whatever N and M.
    Trap: in pixels blur is near to everything. A decoder's mean image may lie closer to some training image
    than a fresh test image does, and remembers nothing for that; what tells of a copy is a distance near 0.
    """
    check_count(k, "k")
    X_train, Y = np.asarray(X_train), as_matrix(samples, "samples")
    if X_train.ndim != 2 or len(X_train) < k:
        raise ValueError(
            f"X_train must be a matrix of at least k = {k} rows, got an array of shape {X_train.shape}"
        )
    check_same_width(X_train, Y, ("X_train", "samples"))
    indices = np.empty((len(Y), k), dtype=np.int64)
    distances = np.empty((len(Y), k))
    for first in range(0, len(Y), _SAMPLES):
        some = slice(first, first + _SAMPLES)
        indices[some], distances[some] = _nearest(X_train, Y[some], k)
    return indices, distances


def _nearest(X_train: np.ndarray, Y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Do as `nearest_images` does, for few enough samples."""
    indices = np.full((len(Y), k), -1, dtype=np.int64)
    distances = np.full((len(Y), k), np.inf)
    y_squares = np.einsum("md,md->m", Y, Y)
    for first in range(0, len(X_train), _TRAINING_ROWS):
        X = as_matrix(X_train[first : first + _TRAINING_ROWS], "X_train")
        x_squares = np.einsum("nd,nd->n", X, X)
        squares = Y @ X.T
        squares *= -2
        squares += x_squares
        squares += y_squares[:, None]
        reach = np.sqrt(x_squares.max()) + np.sqrt(y_squares)
        error = (X.shape[1] + 4) * np.finfo(np.float64).eps * reach**2
        furthest = distances[:, -1] ** 2
        if len(X) >= k:
            furthest = np.minimum(furthest, np.partition(squares, k - 1, axis=1)[:, k - 1])
        for i, candidates in enumerate(squares <= (furthest + 4 * error)[:, None]):
            (rows,) = candidates.nonzero()
            found = np.concatenate([distances[i], np.linalg.norm(X[rows] - Y[i], axis=1)])
            order = np.argsort(found, kind="stable")[:k]  # stable: of equals, the first stays first
            distances[i] = found[order]
            indices[i] = np.concatenate([indices[i], first + rows])[order]
    return indices, distances
