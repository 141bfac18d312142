"""Check and convert the arrays and counts that the functions of `npvae.study` take."""

import numpy as np
import numpy.typing as npt

from npvae.data.scaling import as_floats
from npvae.memory import check_fits


def as_matrix(X: npt.ArrayLike, name: str, *, at_least: int = 1) -> np.ndarray:
    """Return X as (N, D) float64.

    Parameters
    ----------
    X : (N, D) array
        Images, features or codes. uint8 means pixels 0..255, which are scaled to [0, 1].
    name : str
        What error messages call X.
    at_least : int
        Minimum number of rows.

    Returns
    -------
    rows : (N, D) array, float64

    Raises
    ------
    ValueError
        X is not a matrix, has too few rows or no columns, or holds NaN or infinity.
    """
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"{name} must be a matrix with one sample a row, got an array of shape {X.shape}")
    if len(X) < at_least:
        raise ValueError(f"{name} must have at least {at_least} rows, got {len(X)}")
    rows = as_floats(X, np.dtype(np.float64))
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return rows


def check_same_width(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> None:
    """Raise a ValueError unless two matrices have the same number of columns; it contains their `names`."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same number of columns, "
            f"got {a.shape[1]} and {b.shape[1]}"
        )


def check_count(value: int, name: str, *, at_least: int = 1, width: int = 0) -> None:
    """Raise a ValueError unless `value` is an integer of at least `at_least`.

    Raise a MemoryError, too, unless so many rows of `width` float32 fit into memory.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be an integer of at least {at_least}, got {value!r}")
    check_fits(4 * int(value) * width, f"{name}={value}")
