"""Rows and seeds as users give them, brought into the form that the code works with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_array, validate_data

BLOCK = 1024  # rows that inference works on at once

RandomState = int | np.random.Generator | np.random.RandomState | None


def check_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Return X as an (N, D) array of finite float64, float32 or uint8, without a copy where it is one.

    Raises
    ------
    ValueError
        X is not two-dimensional or not finite.
    """
    return check_array(X, dtype=_dtype(X), estimator=estimator, input_name="X")


def validate_rows(estimator: Any, X: npt.ArrayLike) -> np.ndarray:
    """Do the same for a fitted estimator: X must have the features that it was fitted with."""
    return validate_data(estimator, X, dtype=_dtype(X), reset=False)


def remember_features(estimator: Any, X: npt.ArrayLike) -> None:
    """Set ``n_features_in_`` and, for a data frame, ``feature_names_in_``."""
    validate_data(estimator, X, skip_check_array=True, reset=True)


def _dtype(X: npt.ArrayLike) -> Any:
    dtypes = getattr(X, "dtypes", None)  # of a data frame
    is_pixels = (
        getattr(X, "dtype", None) == np.uint8 if dtypes is None else all(d == np.uint8 for d in dtypes)
    )
    return np.uint8 if is_pixels else [np.float64, np.float32]


def check_unit_range(X: np.ndarray) -> None:
    """Raise a ValueError unless X is uint8 or lies in [0, 1], as the Bernoulli likelihood needs it."""
    if X.dtype == np.uint8:
        return
    low, high = X.min(), X.max()
    if low < 0 or high > 1:
        raise ValueError(
            f'likelihood="bernoulli" needs data in [0, 1], got values from {low:g} to {high:g}. Scale them '
            "(MinMaxScaler; or divide pixels by their largest value; or pass pixels 0..255 as uint8), or "
            'take likelihood="gaussian"'
        )


def inference_blocks(X: np.ndarray) -> Iterator[np.ndarray]:
    """Yield X (N, D) in blocks of at most `BLOCK` rows."""
    for start in range(0, len(X), BLOCK):
        yield X[start : start + BLOCK]


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator: the one given, or one seeded by an int, by a RandomState, or (None) anew."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31))
    return np.random.default_rng(random_state)
