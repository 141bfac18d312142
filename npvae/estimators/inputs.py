"""Rows and seeds as users give them, brought into the form that the code works with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import assert_all_finite, check_array, validate_data

BLOCK = 256  # rows that a thread works on at once in inference

RandomState = int | np.random.Generator | np.random.RandomState | None


def check_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array of finite numbers, without a copy where it is one.

    Raises
    ------
    ValueError
        X is not two-dimensional, not numbers or not finite.
    """
    rows = check_array(X, ensure_all_finite=False, estimator=estimator, input_name="X")
    check_finite(estimator, rows)
    return rows


def validate_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array with the features that the estimator was fitted with, its values unread."""
    return validate_data(estimator, X, ensure_all_finite=False, reset=False)


def remember_features(estimator: Any, X: npt.ArrayLike) -> None:
    """Set ``n_features_in_`` and, for a data frame, ``feature_names_in_``."""
    validate_data(estimator, X, skip_check_array=True, reset=True)


def working_dtype(X: np.ndarray) -> np.dtype:
    """Return the floating type to compute in on X: float32 for float32 and uint8, float64 for all else."""
    return np.dtype(np.float32 if X.dtype in (np.uint8, np.float32) else np.float64)


def check_finite(estimator: Any, X: np.ndarray) -> None:
    """Raise scikit-learn's ValueError unless all of X (N, D) is finite."""
    if X.dtype.kind != "f":
        return
    for x in inference_blocks(X):
        x = x.astype(working_dtype(x), copy=False)
        assert_all_finite(x, estimator_name=type(estimator).__name__, input_name="X")


def check_unit_range(X: np.ndarray) -> None:
    """Raise a ValueError unless X is uint8 or lies in [0, 1], as the Bernoulli likelihood needs it."""
    if X.dtype == np.uint8:
        return
    low, high = value_range(X)
    if low < 0 or high > 1:
        raise ValueError(
            f'likelihood="bernoulli" needs data in [0, 1], got values from {low:g} to {high:g}. Scale them '
            "(MinMaxScaler; or divide pixels by their largest value; or pass pixels 0..255 as uint8), or "
            'take likelihood="gaussian"'
        )


def value_range(X: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest value of X (N, D), reading it once; NaN where X holds NaN."""
    extremes = np.array([(x.min(), x.max()) for x in inference_blocks(X)], dtype=np.float64)  # (blocks, 2)
    return float(extremes[:, 0].min()), float(extremes[:, 1].max())


def inference_blocks(X: np.ndarray) -> Iterator[np.ndarray]:
    """Yield X (N, D) in blocks of at most `BLOCK` rows."""
    for start in range(0, len(X), BLOCK):
        yield X[start : start + BLOCK]


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator: the one given, or one seeded by an int, by a RandomState, or (None) anew."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31))
    return np.random.default_rng(random_state)
