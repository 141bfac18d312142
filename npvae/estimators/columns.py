"""Statistics of the training data's columns, and detection of rows far outside them."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from npvae.data.scaling import UNIT_TOLERANCE, as_floats
from npvae.estimators.inputs import BLOCK, check_finite, check_unit_range, inference_blocks

# Lower limit of the noise's standard deviation, as a fraction of the mean range of a column. Below it,
# float32 has no digits left, and data that are reconstructed exactly would drive the variance to zero.
_LEAST_NOISE = 1e-4

_NEARLY_ALL = 0.999  # of the variance

# Columns have one scale if the median of their widths is more than this part of the largest.
_ONE_SCALE = 0.1
_ROUNDING = 1e-6  # relative tolerance for columns that were constant in training

_MOST_NAMED = 5


@dataclass
class Columns:
    """Statistics of the D columns of data, in the network's units (pixels in [0, 1]).

    Attributes
    ----------
    mean, variance : (D,) arrays, float64
    low, high : (D,) arrays, float64
        Smallest and largest values.
    """

    mean: np.ndarray
    variance: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, rows: np.ndarray | None = None) -> Self:
        """Compute the statistics in one pass over X (N, D), or over some of its rows; X may be a memory map.

        Notes
        -----
        Moments are computed about the first row, for an accurate variance if the mean is far from zero.
        """
        n = len(X) if rows is None else len(rows)
        rows = None if rows is None else np.sort(rows)  # in the order of the file
        origin = as_floats(X[:1] if rows is None else X[rows[:1]], np.dtype(np.float64))
        total, squares = np.zeros((2, X.shape[1]))
        low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
        blocks = inference_blocks(X) if rows is None else (X[some] for some in inference_blocks(rows))
        with np.errstate(over="ignore", invalid="ignore"):  # `examine` finds what is not finite
            for block in blocks:
                x = as_floats(block, np.dtype(np.float64))
                low, high = np.minimum(low, x.min(axis=0)), np.maximum(high, x.max(axis=0))
                x = x - origin
                total += x.sum(axis=0)
                squares += np.einsum("nd,nd->d", x, x)
            mean = total / n
            return cls(origin[0] + mean, np.maximum(squares / n - mean**2, 0), low, high)


def examine(X: np.ndarray, likelihood: str, name: str = "X") -> Columns | None:
    """Check training data X (N, D) in one pass, and return their columns; None for pixels, always valid.

    Raises
    ------
    ValueError
        X is not finite, or not in [0, 1] with the Bernoulli likelihood. The message gives the position.
    """
    if X.dtype == np.uint8:
        return None
    columns = Columns.of(X)
    if not (np.isfinite(columns.low).all() and np.isfinite(columns.high).all()):
        check_finite(X, name)
    if likelihood == "bernoulli":
        low, high = columns.low.min(), columns.high.max()
        if low < -UNIT_TOLERANCE or high > 1 + UNIT_TOLERANCE:
            check_unit_range(X, name)
    return columns


class FarRows:
    """Counts rows that are far outside the training data: beyond a column's range by more than its width.

    Parameters
    ----------
    data_range : (2, D) array
        Smallest and largest value of each column in training. If all columns have a similar scale, a column
        that hardly varied gets the mean width of all columns, and a value between the extremes of all
        columns is never far outside. (Pixels at the edges of images, for example, hardly vary in training.)
    """

    def __init__(self, data_range: np.ndarray) -> None:
        low, high = self._range = data_range
        width = high - low
        if np.median(width) > _ONE_SCALE * width.max():
            margin = np.maximum(width, width.mean())
            self._least = np.minimum(low - margin, low.min())
            self._greatest = np.maximum(high + margin, high.max())
        else:
            margin = np.maximum(width, _ROUNDING * np.abs(data_range).max(axis=0))
            self._least, self._greatest = low - margin, high + margin
        self._found: list[tuple[int, int, float, int]] = []  # row, column, value; far rows of the block

    @property
    def n(self) -> int:
        """Number of far rows so far."""
        return sum(n for *_, n in self._found)

    def look(self, x: np.ndarray, first_row: int) -> None:
        """Check a block of finite rows (n, D); several threads may call this."""
        if np.all(x.min(axis=0) >= self._least) and np.all(x.max(axis=0) <= self._greatest):
            return
        beyond = (x < self._least) | (x > self._greatest)
        if beyond.any():
            row, column = np.argwhere(beyond)[0]
            n_rows = int(beyond.any(axis=1).sum())
            self._found.append((first_row + int(row), int(column), float(x[row, column]), n_rows))

    def describe(
        self, n_rows: int, model: str, names: np.ndarray | None, pixels: bool, rows: str = "rows"
    ) -> str:
        """Describe the far rows for a warning; `pixels` is whether the model was trained on uint8."""
        row, column, value, _ = min(self._found)
        low, high = self._range[:, column]
        text = (
            f"{self.n} of {n_rows} {rows} are far outside the training data of this {model}. In row {row}, "
            f"column {name_columns(np.array([column]), names)} is {value:.6g}; in training it was from "
            f"{low:.6g} to {high:.6g}."
        )
        return text + (" Pixels 0..255 must be passed as uint8, as in training." if pixels else "")


def far_validation_warning(X_val: np.ndarray, columns: Columns, model: str) -> str | None:
    """Return a warning if rows of X_val lie far outside of the training data, as in another unit they do."""
    far = FarRows(np.array([columns.low, columns.high]))
    for i, block in enumerate(inference_blocks(X_val)):
        far.look(as_floats(block), i * BLOCK)
    if not far.n:
        return None
    text = far.describe(len(X_val), model, None, pixels=False, rows="rows of X_val")
    return f"{text} X_val must be in the units of X, with the same columns."


def check_pixel_units(columns: Columns) -> None:
    """Raise a ValueError if floats that a model of pixels is to be trained on are far outside of [0, 1]."""
    low, high = columns.low.min(), columns.high.max()
    if low < -1 or high > 2:
        raise ValueError(
            f"X has values from {low:.6g} to {high:.6g}, but this model was trained on pixels, which are "
            "scaled to [0, 1]. Pass pixels 0..255 as uint8, as in training"
        )


def scale_warning(columns: Columns, names: np.ndarray | None) -> str | None:
    """Return a warning if a few columns have nearly all of the variance and so dominate the loss.

    Returns
    -------
    str or None
        A warning if at most two thirds of the columns that vary have 99.9 % of the variance.
    """
    order = np.argsort(columns.variance)[::-1]
    shares = np.cumsum(columns.variance[order]) / max(columns.variance.sum(), np.finfo(float).tiny)
    n_large, n_varying = int(np.sum(shares < _NEARLY_ALL)) + 1, int(np.count_nonzero(columns.variance))
    if 3 * n_large > 2 * n_varying:
        return None
    return (
        f"Columns {name_columns(np.sort(order[:n_large]), names)} have {100 * shares[n_large - 1]:.2f} % of "
        f"the variance, so the other {n_varying - n_large} will hardly be learned. Scale the columns "
        "first, for example with make_pipeline(StandardScaler(), ...) from scikit-learn"
    )


def least_noise_variance(data_range: np.ndarray) -> float:
    """Return the lower limit of the noise variance for columns with these ranges (2, D)."""
    width = np.ptp(data_range, axis=0).mean()
    return float((_LEAST_NOISE * width) ** 2) if width > 0 else _LEAST_NOISE**2


def name_columns(columns: np.ndarray, names: np.ndarray | None) -> str:
    """List columns for a message, by their names if they have names, otherwise by their numbers."""
    shown = [repr(str(names[i])) if names is not None else str(i) for i in columns[:_MOST_NAMED]]
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    return ", ".join(shown) + more
