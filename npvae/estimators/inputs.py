"""Check and convert the data and seeds that users pass."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, validate_data

from npvae.core.architecture import is_number
from npvae.data.file_rows import FileRows, rows_of_map
from npvae.data.scaling import UNIT_TOLERANCE

BLOCK = 256  # rows per block in inference; a thread works on one block

RandomState = int | np.random.Generator | np.random.RandomState | None


def check_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array, without a copy if possible; its values are not read.

    Raises
    ------
    ValueError
        X is not two-dimensional, or not numeric.
    """
    if isinstance(X, FileRows):
        return X  # type: ignore[return-value]
    rows = check_array(X, ensure_all_finite=False, estimator=estimator, input_name="X")
    return rows_of_map(rows)  # type: ignore[return-value]


def check_pixels(rows: np.ndarray) -> None:
    """Raise a ValueError if rows (N, D) are uint8 but have no value above 1, so hardly pixels."""
    if rows.dtype == np.uint8 and not any(x.max() > 1 for x in inference_blocks(rows)):
        raise ValueError(
            "X is uint8, which means pixels 0..255, but no value is above 1. Pass data of 0 and 1 as bool or "
            "float, for example X.astype(bool), or black-and-white pixels as 0 and 255"
        )


def validate_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array, after checking its features against those in `fit`; values are not read.

    Raises
    ------
    ValueError
        X has other features, or is uint8 but the estimator was not trained on uint8.
    """
    rows = _validated(estimator, X)
    if rows.dtype == np.uint8 and not estimator.pixels_:
        raise ValueError(
            f"X is uint8, which means pixels 0..255, but this {type(estimator).__name__} was not trained on "
            "uint8. Pass X.astype(np.float32) to keep the values, or X / 255 to scale pixels"
        )
    return rows


def check_validation_rows(
    estimator: Any, X: npt.ArrayLike, data: np.ndarray, X_val: npt.ArrayLike
) -> np.ndarray:
    """Return X_val as an (M, D) array after checking that it matches X; `data` is X as an array.

    Raises
    ------
    ValueError
        It has another number of columns than X, other column names or another order, or only one of the two
        is uint8.
    """
    twin = clone(estimator)
    remember_features(twin, X)
    try:
        rows = _validated(twin, X_val)
    except ValueError as error:
        raise ValueError(f"X_val does not fit X. {error}") from None
    if (rows.dtype == np.uint8) != (data.dtype == np.uint8):
        raise ValueError("X and X_val must both be uint8 (pixels 0..255), or neither")
    return rows


def _validated(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array with the features that the estimator knows."""
    unread = isinstance(X, FileRows)
    rows = validate_data(estimator, X, skip_check_array=unread, ensure_all_finite=False, reset=False)
    return rows if unread else rows_of_map(rows)  # type: ignore[return-value]


def remember_features(estimator: Any, X: npt.ArrayLike) -> None:
    """Set ``n_features_in_`` and, for a data frame, ``feature_names_in_``."""
    validate_data(estimator, X, skip_check_array=True, reset=True)


def working_dtype(X: np.ndarray) -> np.dtype:
    """Return the floating dtype for computations on X: float32 for float32 and uint8, otherwise float64."""
    return np.dtype(np.float32 if X.dtype in (np.uint8, np.float32) else np.float64)


def check_finite(X: np.ndarray, name: str = "X", first_row: int = 0) -> None:
    """Raise a ValueError with the position unless X (N, D) is finite; rows are counted from `first_row`."""
    if X.dtype.kind != "f" or get_config()["assume_finite"]:
        return
    for i, x in enumerate(inference_blocks(X)):
        with np.errstate(over="ignore", invalid="ignore"):
            x = x.astype(working_dtype(x), copy=False)
            if np.isfinite(x.sum()):
                continue
        bad = np.argwhere(~np.isfinite(x))
        if len(bad):
            row, column = bad[0]
            what = "NaN" if np.isnan(x[row, column]) else "infinity"
            raise ValueError(
                f"Input {name} contains {what}, first in row {first_row + i * BLOCK + row}, column {column}. "
                "Fill missing values in first (sklearn.impute has SimpleImputer and KNNImputer), or drop the "
                "rows that have them"
            )


def check_unit_range(X: np.ndarray, name: str = "X") -> None:
    """Raise a ValueError unless X is uint8 or in [0, 1], which the Bernoulli likelihood requires.

    Values outside [0, 1] only by rounding, which MinMaxScaler can produce, are accepted.
    """
    if X.dtype == np.uint8:
        return
    low, high, n_bad, first = np.inf, -np.inf, 0, (0, 0)
    for i, x in enumerate(inference_blocks(X)):
        least, greatest = x.min(), x.max()
        low, high = min(low, float(least)), max(high, float(greatest))
        if least < -UNIT_TOLERANCE or greatest > 1 + UNIT_TOLERANCE:
            bad = (x < -UNIT_TOLERANCE) | (x > 1 + UNIT_TOLERANCE)
            if not n_bad:
                row, column = np.argwhere(bad)[0]
                first = (i * BLOCK + row, column)
            n_bad += int(bad.any(axis=1).sum())
    if n_bad:
        check_finite(X, name)  # infinity has a message of its own
        raise ValueError(
            f'likelihood="bernoulli" needs data in [0, 1], got values from {low:.9g} to {high:.9g}: {n_bad} '
            f"of {len(X)} rows of {name} have values outside, first in row {first[0]}, column {first[1]}. "
            "Scale the data with MinMaxScaler(clip=True), pass pixels 0..255 as uint8, or use "
            'likelihood="gaussian", which takes any numbers'
        )


def inference_blocks(X: np.ndarray) -> Iterator[np.ndarray]:
    """Yield X (N, ...) in blocks of at most `BLOCK` rows."""
    for start in range(0, len(X), BLOCK):
        yield X[start : start + BLOCK]


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator: the one given, or one seeded by an int or by a RandomState.

    None means NumPy's global RandomState, as in scikit-learn, which `np.random.seed` seeds.

    Raises
    ------
    ValueError
        It is none of these, or a negative integer.
    """
    if isinstance(random_state, int | np.integer) and (not is_number(random_state) or random_state < 0):
        raise ValueError(
            f"random_state must be an integer of at least 0, a generator or None, got {random_state!r}"
        )
    if isinstance(random_state, np.random.Generator):
        return random_state
    if not isinstance(random_state, int | np.integer):
        random_state = check_random_state(random_state).randint(2**31 - 1)
    return np.random.default_rng(random_state)
