"""Nearest neighbours: precision, recall, density and coverage of samples; the nearest training images.

Around each real sample lies a ball that reaches to its k-th nearest real neighbour. Coverage is the share of
these balls that contain a fake sample, density the mean number of balls around a fake sample divided by k,
and precision the share of fake samples inside at least one ball. Recall is precision with the roles of real
and fake exchanged.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.data.file_rows import as_array
from npvae.study.sample_arrays import as_matrix, check_count, check_same_width

_MEBIBYTES = 32  # of distances in memory at once
_EXTRA = 4  # candidates beyond the k nearest: rounding may put nearly equal distances in the wrong order
_TRAINING_ROWS, _SAMPLES = 2048, 512  # rows per block in `nearest_images`


class NeighbourMetrics(NamedTuple):
    """What `neighbour_metrics` returns.

    Attributes
    ----------
    precision, recall : float in [0, 1]
        Higher is better. Even samples of the real distribution stay below 1; how far below depends on the
        data, so compare with the values of held-out real images.
    density : float, at least 0
        About 1 for samples of the real distribution; it can exceed 1.
    coverage : float in [0, 1]
        For samples of the real distribution, and N = M large, about 1 - 2^-k: 0.97 for k = 5.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbour_metrics(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> NeighbourMetrics:
    """Compute precision, recall, density and coverage of fake samples.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array, M > k
        In the same units.
    k : int
        A ball reaches to the k-th nearest neighbour. Kynkäänniemi et al. use 3 for precision and recall;
        the default is 5 for all four, as in the package prdc.

    Returns
    -------
    NeighbourMetrics

    Raises
    ------
    ValueError
        The widths differ, a set has no more than k rows, a number is not finite, or k is not a positive
        integer.

    Notes
    -----
    With r_i the distance from x_i to its k-th nearest neighbour among the other real samples, and s_j the
    same for y_j among the other fake samples,

        precision = (1 / M)   sum_j [ |x_i - y_j| < r_i for some i ],
        recall    = (1 / N)   sum_i [ |x_i - y_j| < s_j for some j ],
        density   = (1 / k M) sum_j sum_i [ |x_i - y_j| < r_i ],
        coverage  = (1 / N)   sum_i [ min_j |x_i - y_j| < r_i ].

    (Kynkäänniemi et al. count a ball's surface as inside, which only matters for copies and binary data.)

    Cost: O((N + M)^2 D); a few seconds for N = M = 5000 and 784 pixels. Use random subsets of about that
    size, and `NeighbourBalls` to compare several sets of fake samples with the same real ones.

    Limits. All four depend on N and M, so compare at equal N and M. In pixels, density and precision reward
    blur: a faint mean image is near many images. One outlier among the real samples has a large ball, and
    every fake sample inside it counts as precise; a single image drawn again and again can have precision 1.
    Fake samples far from everything have large balls, so noise can reach a high recall; coverage does not
    have this flaw. Copies of the real data have coverage 1. In binary data many distances are equal, and
    equal does not count as inside, so even samples of the real distribution score lower.

    References
    ----------
    Kynkäänniemi et al. (2019), Improved precision and recall metric for assessing generative models,
    equations 1 and 2. Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models,
    section 3, and lemma 2 for the expected coverage.
    """
    real, fake = as_matrix(real, "real"), as_matrix(fake, "fake")
    check_same_width(real, fake, ("real", "fake"))
    of_real = NeighbourBalls.fit(real, k).count(fake)
    of_fake = NeighbourBalls.fit(fake, k, name="fake").count(real, name="real")
    return NeighbourMetrics(of_real.precision, of_fake.precision, of_real.density, of_real.coverage)


@dataclass(frozen=True)
class BallCounts:
    """What `NeighbourBalls.count` returns.

    Its metrics are those of `neighbour_metrics` if the balls are real and the points fake; with the roles
    exchanged, `precision` is the recall.

    Parameters
    ----------
    per_ball : (N,) array of int
        Points in each ball.
    per_point : (M,) array of int
        Balls around each point.
    k : int
    """

    per_ball: np.ndarray
    per_point: np.ndarray
    k: int

    @property
    def coverage(self) -> float:
        """Share of balls that contain a point."""
        return float(np.mean(self.per_ball > 0))

    @property
    def density(self) -> float:
        """Mean number of balls around a point, divided by k."""
        return float(np.mean(self.per_point) / self.k)

    @property
    def precision(self) -> float:
        """Share of points inside at least one ball."""
        return float(np.mean(self.per_point > 0))


class NeighbourBalls:
    """A ball around each row that reaches to its k-th nearest neighbour; fit once, to compare many sets.

    Parameters
    ----------
    rows : (N, D) array, float64
        The centres.
    squared_radii : (N,) array, float64
    k : int

    Notes
    -----
    Distances come from one matrix product (scikit-learn), on one thread, of rows less their mean, since far
    from the origin the terms of |x|^2 - 2 x . y + |y|^2 cancel. A distance that is equal to a radius within
    rounding is computed again as |x - y|, so the counts are exact.
    """

    def __init__(self, rows: np.ndarray, squared_radii: np.ndarray, k: int) -> None:
        self.rows = rows
        self._mean = rows.mean(axis=0)
        self.squared_radii = squared_radii
        self.k = k

    @classmethod
    def fit(cls, X: npt.ArrayLike, k: int = 5, *, name: str = "real") -> Self:
        """Find each row's k-th nearest neighbour among the others.

        Parameters
        ----------
        X : (N, D) array, N > k
            Images or features; uint8 for pixels.
        k : int
        name : str
            What error messages call X.

        Returns
        -------
        NeighbourBalls

        Raises
        ------
        ValueError
            X has no more than k rows, a number is not finite, or k is not a positive integer.
        """
        check_count(k, "k")
        rows = as_matrix(X, name, at_least=k + 1)
        return cls(rows, squared_to_nearest(rows, k=k), k)

    def count(self, points: npt.ArrayLike, *, name: str = "fake") -> BallCounts:
        """Count which points lie inside which balls; the surface is outside.

        Parameters
        ----------
        points : (M, D) array
            In the units of X in `fit`.
        name : str
            What error messages call the points.

        Returns
        -------
        BallCounts

        Raises
        ------
        ValueError
            Another number of columns, no rows, or a number that is not finite.
        """
        from sklearn.metrics import pairwise_distances_chunked

        Y = as_matrix(points, name)
        if Y.shape[1] != self.rows.shape[1]:
            raise ValueError(
                f"{name} must have {self.rows.shape[1]} columns, as the rows of the balls, got {Y.shape[1]}"
            )
        per_ball, per_point = np.empty(len(self.rows), np.int64), np.zeros(len(Y), np.int64)
        centres, around = self.rows - self._mean, Y - self._mean
        start, error = 0, _rounding_error(centres, around)
        with threadpool_limits(limits=1):
            for squared in pairwise_distances_chunked(
                centres, around, metric="euclidean", squared=True, working_memory=_MEBIBYTES, n_jobs=1
            ):
                some = slice(start, start + len(squared))
                radii = self.squared_radii[some, None]
                inside = squared < radii
                i, j = np.nonzero(np.abs(squared - radii) <= error[some, None])
                inside[i, j] = _squared_distances(self.rows[start + i], Y[j]) < radii[i, 0]
                per_ball[some] = np.count_nonzero(inside, axis=1)
                per_point += np.count_nonzero(inside, axis=0)
                start = some.stop
        return BallCounts(per_ball, per_point, self.k)


def squared_to_nearest(data: np.ndarray, points: np.ndarray | None = None, *, k: int = 1) -> np.ndarray:
    """Return the squared distance from each point (M, D) to the k-th nearest row of data (N, D), (M,).

    Without points, they are the data themselves, and no row is its own neighbour.
    """
    from sklearn.neighbors import NearestNeighbors

    n_candidates = min(k + _EXTRA, len(data) - (points is None)) if k > 1 else 1
    with threadpool_limits(limits=1):  # for the same bits with any number of threads
        neighbours = NearestNeighbors(n_neighbors=n_candidates, algorithm="brute", n_jobs=1)
        mean = data.mean(axis=0)
        neighbours.fit(data - mean)
        around = None if points is None else points - mean
        indices = neighbours.kneighbors(around, return_distance=False)
    points = data if points is None else points
    return np.sort([_squared_distances(points, data[rows]) for rows in indices.T], axis=0)[k - 1]


def nearest_images(X_train: npt.ArrayLike, samples: npt.ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the training images nearest to each sample, in pixels.

    Parameters
    ----------
    X_train : (N, D) array, N >= k
        uint8 for pixels 0..255, which count as [0, 1]. It may be a memory map or
        `npvae.data.FileRows` larger than memory.
    samples : (M, D) array
        In the same units, or uint8.
    k : int
        Neighbours per sample.

    Returns
    -------
    indices : (M, k) array of int
        Rows of X_train, nearest first; equally near rows are in their order in X_train.
    distances : (M, k) array, float64
        Euclidean, in the data's units; pixels in [0, 1].

    Raises
    ------
    ValueError
        The widths differ, there are fewer than k training images, a number is not finite, or k is not a
        positive integer.

    Notes
    -----
    With x the training images and y the samples, all distances of a block come from one matrix product,

        |x - y|^2 = |x|^2 - 2 x . y + |y|^2,

    whose error is at most (D + 4) u (|x| + |y|)^2, with u the unit roundoff. Every image that could be among
    the k nearest within that error is measured again as |x - y|. So the result is exact, and a copy is at
    distance 0.

    Cost: O(N M D), a few seconds for N = 60,000, D = 784 and M = 1000. Memory: about 60 MB, for any N and M.

    Limits. In pixels, blurred images are near everything: a decoder's mean image may be nearer to a training
    image than a real test image is, without being a copy. Only a distance near 0 indicates a copy.
    """
    check_count(k, "k")
    data, Y = as_array(X_train), as_matrix(samples, "samples")
    if data.ndim != 2 or len(data) < k:
        raise ValueError(
            f"X_train must be a matrix of at least k = {k} rows, got an array of shape {data.shape}"
        )
    check_same_width(data, Y, ("X_train", "samples"))
    indices = np.empty((len(Y), k), dtype=np.int64)
    distances = np.empty((len(Y), k))
    for first in range(0, len(Y), _SAMPLES):
        some = slice(first, first + _SAMPLES)
        indices[some], distances[some] = _nearest(data, Y[some], k)
    return indices, distances


def _nearest(X_train: np.ndarray, Y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Do the work of `nearest_images` for a block of samples."""
    from sklearn.metrics import euclidean_distances

    indices = np.full((len(Y), k), -1, dtype=np.int64)
    distances = np.full((len(Y), k), np.inf)
    for first in range(0, len(X_train), _TRAINING_ROWS):
        X = as_matrix(X_train[first : first + _TRAINING_ROWS], "X_train")
        squares = euclidean_distances(Y, X, squared=True)
        furthest = distances[:, -1] ** 2
        if len(X) >= k:
            furthest = np.minimum(furthest, np.partition(squares, k - 1, axis=1)[:, k - 1])
        for i, candidates in enumerate(squares <= (furthest + 4 * _rounding_error(Y, X))[:, None]):
            (rows,) = candidates.nonzero()
            found = np.concatenate([distances[i], np.linalg.norm(X[rows] - Y[i], axis=1)])
            order = np.argsort(found, kind="stable")[:k]  # stable: equally near rows keep their order
            distances[i] = found[order]
            indices[i] = np.concatenate([indices[i], first + rows])[order]
    return indices, distances


def _rounding_error(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Bound the error of |x|^2 - 2 x . y + |y|^2 for each row of X and any row of Y, (N,)."""
    reach = np.linalg.norm(X, axis=1) + np.linalg.norm(Y, axis=1).max()
    return (X.shape[1] + 4) * np.finfo(np.float64).eps * reach**2


def _squared_distances(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return |x - y|^2 of each pair of rows, (N,): exactly 0 where they are equal."""
    return ((X - Y) ** 2).sum(axis=1)
