"""Distances between two sets of rows: fast in float32, and exact where it matters."""

from collections.abc import Iterator

import numpy as np

_MEBIBYTES = 32  # of distances held at once
_EXTRA = 4  # candidates beyond the k nearest, as float32 cannot put all in order


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


def blocks(a: Rows, b: Rows) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
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


def exact_squared(a: Rows, rows: np.ndarray, b: Rows, columns: np.ndarray) -> np.ndarray:
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
    for rows, squared, _ in blocks(a, b):
        here = np.arange(rows.start, rows.stop)
        if same:
            squared[here - rows.start, here] = np.inf
        if k == 1:
            columns = squared.argmin(axis=1)
        else:
            columns = np.argpartition(squared, n_candidates - 1, axis=1)[:, :n_candidates]
        exact = exact_squared(a, np.repeat(here, n_candidates), b, columns.ravel())
        result[rows] = np.sort(exact.reshape(len(here), -1), axis=1)[:, k - 1]
    return result


def count_within(centres: Rows, squared_radii: np.ndarray, points: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Count the points in each open ball, (N,), and the balls around each point, (M,)."""
    per_ball = np.empty(len(centres.exact), dtype=np.int64)
    per_point = np.zeros(len(points.exact), dtype=np.int64)
    for rows, squared, error in blocks(centres, points):
        squared -= squared_radii[rows, None].astype(np.float32)
        inside = squared < 0
        np.abs(squared, out=squared)
        i, j = np.nonzero(squared <= error[:, None].astype(np.float32))
        if len(i):
            exact = exact_squared(centres, i + rows.start, points, j)
            inside[i, j] = exact < squared_radii[rows][i]
        per_ball[rows] = np.count_nonzero(inside, axis=1)
        per_point += np.count_nonzero(inside, axis=0)
    return per_ball, per_point
