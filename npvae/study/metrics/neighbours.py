"""Nearest neighbours: how samples and data mingle, and which training images lie nearest to a sample.

Around each real sample lies a ball that reaches to its k-th nearest real neighbour. Coverage is the part of
the balls that hold a fake sample; density is how many balls hold a fake sample, on average and relative to k;
precision is the part of the fake samples that lie in any ball. Recall is precision with the roles exchanged:
the part of the real samples that lie in a ball around a fake one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from npvae.study.validation import as_matrix, check_count, check_same_width

_MEBIBYTES = 32  # of distances held at once
_EXTRA = 4  # candidates beyond the k nearest, as float32 cannot put all in order
_TRAINING_ROWS, _SAMPLES = 2048, 512  # of `nearest_images`, whose distances are held at once


class Rows:
    """Rows prepared for distances: their float32 copy, shifted to a common origin, and its squared norms.

    Parameters
    ----------
    exact : (N, D) array, float64
    origin : (D,) array
        Best the mean of one of the sets: the nearer the rows are to it, the less is rounded away.
    """

    def __init__(self, exact: np.ndarray, origin: np.ndarray) -> None:
        self.exact = exact
        self.origin = origin
        self.single = (exact - origin).astype(np.float32)
        self.squares = np.einsum("nd,nd->n", self.single, self.single)


@dataclass(frozen=True)
class BallCounts:
    """What `NeighbourBalls.count` finds.

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
        """Part of the balls that hold a point: `coverage`, where the balls are real and the points fake."""
        return float(np.mean(self.per_ball > 0))

    @property
    def density(self) -> float:
        """Balls around a point, on average and relative to k: `density`, likewise."""
        return float(np.mean(self.per_point) / self.k)

    @property
    def precision(self) -> float:
        """Part of the points within a ball: `precision`, likewise; with the roles exchanged, `recall`."""
        return float(np.mean(self.per_point > 0))


class NeighbourBalls:
    """A ball around each row that reaches to its k-th nearest neighbour; made once, to judge many sets.

    Parameters
    ----------
    rows : Rows
    squared_radii : (N,) array, float64
    k : int

    Notes
    -----
    Distances are computed in float32 on one thread, by one matrix product, and once more in float64 where
    the error might decide. So the counts are exact, and do not depend on threads. Seconds on one core for N
    = M = 5000 and 784 pixels: 1.4 to make the balls, 0.7 to count; in 64 features 0.6 and 0.15.
    """

    def __init__(self, rows: Rows, squared_radii: np.ndarray, k: int) -> None:
        self.rows = rows
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
            Of X, for the errors.

        Returns
        -------
        NeighbourBalls

        Raises
        ------
        ValueError
            There are no more than k rows, a number is not finite, or k is not a positive integer.
        """
        check_count(k, "k")
        exact = as_matrix(X, name, at_least=k + 1)
        rows = Rows(exact, exact.mean(axis=0))
        with threadpool_limits(limits=1):
            return cls(rows, squared_to_nearest(rows, rows, k, same=True), k)

    def count(self, points: npt.ArrayLike, *, name: str = "fake") -> BallCounts:
        """Count which points lie in which balls; on a ball's surface is not inside.

        Parameters
        ----------
        points : (M, D) array
            In the units of the rows fitted to.
        name : str
            Of the points, for the errors.

        Returns
        -------
        BallCounts

        Raises
        ------
        ValueError
            Another number of columns, no rows, or a number that is not finite.
        """
        exact = as_matrix(points, name)
        if exact.shape[1] != self.rows.exact.shape[1]:
            raise ValueError(
                f"{name} must have {self.rows.exact.shape[1]} columns, as the rows of the balls, "
                f"got {exact.shape[1]}"
            )
        with threadpool_limits(limits=1):
            counts = _count_within(self.rows, self.squared_radii, Rows(exact, self.rows.origin))
        return BallCounts(*counts, self.k)


def coverage(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure how much of the real data has fake samples nearby.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array
        In the same units.
    k : int
        Which neighbour a ball reaches to.

    Returns
    -------
    coverage : float in [0, 1]
        For samples of the real distribution, and N = M large, about 1 - 2^-k: 0.97 for k = 5.

    Raises
    ------
    ValueError
        The widths differ, there are no more than k real samples, a number is not finite, or k is not a
        positive integer.

    Notes
    -----
    With r_i the distance of x_i to its k-th nearest neighbour among the other real samples,

        coverage = (1 / N) sum_i [ min_j |x_i - y_j| < r_i ].

    Cost: O(N (N + M) D); a few seconds for N = M = 5000 and 784 pixels, so choose that many at random, and
    use `NeighbourBalls` for several sets of fake samples. Traps: it grows with M, so compare at equal N and
    M; copies of the real data reach 1; in binary data many distances are equal, and as equal does not
    count, even samples of the real distribution stay below their value.

    References
    ----------
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, section 3; the value
    for samples of the real distribution: lemma 2.
    """
    return _count(real, fake, k).coverage


def density(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure how deep in the real data the fake samples lie.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array
        In the same units.
    k : int
        Which neighbour a ball reaches to.

    Returns
    -------
    density : float, at least 0
        About 1 for samples of the real distribution. It can exceed 1.

    Raises
    ------
    ValueError
        As for `coverage`.

    Notes
    -----
    With r_i the distance of x_i to its k-th nearest neighbour among the other real samples,

        density = (1 / (k M)) sum_j sum_i [ |x_i - y_j| < r_i ].

    Cost: as for `coverage`. Trap: in pixels it rewards blur. A faint mean image is near to many images, and
    samples that nobody would take for a digit reach densities far above 1. Use it in features.

    References
    ----------
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, section 3.
    """
    return _count(real, fake, k).density


def precision(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure which part of the fake samples lies where real ones do.

    Parameters
    ----------
    real : (N, D) array, N > k
        Images or features; uint8 for pixels.
    fake : (M, D) array
        In the same units.
    k : int
        Which neighbour a ball reaches to. The paper uses 3; 5 here, as in the other three, so that they can
        be read together (the package prdc does so too).

    Returns
    -------
    precision : float in [0, 1]
        Higher is better. Samples of the real distribution stay below 1: what that is for this data, real
        images in place of fake ones tell.

    Raises
    ------
    ValueError
        As for `coverage`.

    Notes
    -----
    With r_i the distance of x_i to its k-th nearest neighbour among the other real samples,

        precision = (1 / M) sum_j [ |x_i - y_j| < r_i for some i ].

    (The paper counts the surface as inside, which matters for copies and binary data alone.) Cost: as for
    `coverage`. Traps: in pixels it rewards blur, as density does; one outlier among the real samples has a
    large ball, and whatever falls into it counts; a single image, drawn again and again, can have precision
    1.

    References
    ----------
    Kynkaanniemi et al. (2019), Improved precision and recall metric for assessing generative models,
    equations 1 and 2.
    """
    return _count(real, fake, k).precision


def recall(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 5) -> float:
    """Measure which part of the real samples lies where fake ones do.

    Parameters
    ----------
    real : (N, D) array
        Images or features; uint8 for pixels.
    fake : (M, D) array, M > k
        In the same units.
    k : int
        Which neighbour a ball reaches to; see `precision`.

    Returns
    -------
    recall : float in [0, 1]
        Higher is better; see `precision`.

    Raises
    ------
    ValueError
        The widths differ, there are no more than k fake samples, a number is not finite, or k is not a
        positive integer.

    Notes
    -----
    `precision` with the roles exchanged: with r_j the distance of y_j to its k-th nearest neighbour among
    the other fake samples,

        recall = (1 / N) sum_i [ |x_i - y_j| < r_j for some j ].

    Cost: as for `coverage`, but the balls are those of the fake samples and are made anew for every set.
    Trap: samples that are far from everything have large balls, which hold real samples by their size;
    noise may so reach a high recall. Coverage has no such flaw. Fewer fake samples mean larger balls, so
    compare at equal M.

    References
    ----------
    Kynkaanniemi et al. (2019), equations 1 and 2; on the trap: Naeem et al. (2020), section 2.
    """
    real, fake = _checked(real, fake)
    return NeighbourBalls.fit(fake, k, name="fake").count(real, name="real").precision


def _count(real: npt.ArrayLike, fake: npt.ArrayLike, k: int) -> BallCounts:
    real, fake = _checked(real, fake)
    return NeighbourBalls.fit(real, k).count(fake)


def _checked(real: npt.ArrayLike, fake: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    real, fake = as_matrix(real, "real"), as_matrix(fake, "fake")
    check_same_width(real, fake, ("real", "fake"))
    return real, fake


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
    from sklearn.metrics import euclidean_distances

    indices = np.full((len(Y), k), -1, dtype=np.int64)
    distances = np.full((len(Y), k), np.inf)
    for first in range(0, len(X_train), _TRAINING_ROWS):
        X = as_matrix(X_train[first : first + _TRAINING_ROWS], "X_train")
        squares = euclidean_distances(Y, X, squared=True)
        reach = np.linalg.norm(X, axis=1).max() + np.linalg.norm(Y, axis=1)
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


def _blocks(a: Rows, b: Rows) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Go through the squared distances from all rows of a to all rows of b.

    Yields
    ------
    rows : slice
        Of a.
    squared : (n, M) array, float32
        |x|^2 - 2 x . y + |y|^2, from one product.
    error : (n,) array
        What rounding may have done to them: 4 sqrt(D) u (|x|^2 + max |y|^2), with u the unit roundoff.
        Errors of the D terms add up as independent ones do.
    """
    n_rows = max(1, int(_MEBIBYTES * 2**20 / (4 * len(b.single))))
    unit = 4 * np.sqrt(a.single.shape[1]) * np.finfo(np.float32).eps
    largest = b.squares.max()
    for start in range(0, len(a.single), n_rows):
        rows = slice(start, min(start + n_rows, len(a.single)))
        squared = (-2 * a.single[rows]) @ b.single.T
        squared += a.squares[rows, None]
        squared += b.squares
        yield rows, squared, unit * (a.squares[rows] + largest)


def _exact_squared(a: Rows, rows: np.ndarray, b: Rows, columns: np.ndarray) -> np.ndarray:
    """Return |a[rows] - b[columns]|^2 pair by pair in float64: of equal rows exactly 0."""
    result = np.empty(len(rows))
    step = max(1, int(_MEBIBYTES * 2**20 / (8 * a.exact.shape[1])))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        result[some] = ((a.exact[rows[some]] - b.exact[columns[some]]) ** 2).sum(axis=1)
    return result


def squared_to_nearest(a: Rows, b: Rows, k: int = 1, *, same: bool = False) -> np.ndarray:
    """Return the squared distance from each row of a to its k-th nearest row of b, (N,) float64.

    With `same`, a and b are one set, and no row is its own neighbour. Which row that is, float32 decides, so
    the distance may be that to another row which is as near within rounding.
    """
    result = np.empty(len(a.exact))
    n_candidates = 1 if k == 1 else min(k + _EXTRA, len(b.exact) - same)
    for rows, squared, _ in _blocks(a, b):
        here = np.arange(rows.start, rows.stop)
        if same:
            squared[here - rows.start, here] = np.inf
        if k == 1:
            columns = squared.argmin(axis=1)
        else:
            columns = np.argpartition(squared, n_candidates - 1, axis=1)[:, :n_candidates]
        exact = _exact_squared(a, np.repeat(here, n_candidates), b, columns.ravel())
        result[rows] = np.sort(exact.reshape(len(here), -1), axis=1)[:, k - 1]
    return result


def _count_within(centres: Rows, squared_radii: np.ndarray, points: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Count the points in each open ball, (N,), and the balls around each point, (M,)."""
    per_ball = np.empty(len(centres.exact), dtype=np.int64)
    per_point = np.zeros(len(points.exact), dtype=np.int64)
    for rows, squared, error in _blocks(centres, points):
        squared -= squared_radii[rows, None].astype(np.float32)
        inside = squared < 0
        np.abs(squared, out=squared)
        i, j = np.nonzero(squared <= error[:, None].astype(np.float32))
        if len(i):
            exact = _exact_squared(centres, i + rows.start, points, j)
            inside[i, j] = exact < squared_radii[rows][i]
        per_ball[rows] = np.count_nonzero(inside, axis=1)
        per_point += np.count_nonzero(inside, axis=0)
    return per_ball, per_point
