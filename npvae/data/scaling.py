"""Scale pixels to [0, 1], and check that values are in [0, 1]."""

import numpy as np

# Tolerance for values outside [0, 1] due to rounding: 4 units in the last place of float32.
UNIT_TOLERANCE = 4 * float(np.finfo(np.float32).eps)


def to_unit_interval(X: np.ndarray) -> np.ndarray:
    """Scale a batch to [0, 1].

    Parameters
    ----------
    X : array of any shape
        uint8, meaning pixels 0..255, or floats already in [0, 1].

    Returns
    -------
    scaled : array of X's shape
        uint8 becomes float32, X / 255. Floats in [0, 1] are returned as they are, without a copy.

    Raises
    ------
    ValueError
        X has values outside [0, 1], NaN, or another dtype.

    Examples
    --------
    >>> to_unit_interval(np.array([[0, 51, 255]], dtype=np.uint8))
    array([[0. , 0.2, 1. ]], dtype=float32)
    """
    if X.dtype == np.uint8:
        return np.divide(X, 255, dtype=np.float32)
    check_unit_interval(X)
    return X


def as_floats(X: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """Return X as floats; uint8 means pixels, 0..255, and is scaled to [0, 1].

    Parameters
    ----------
    X : array of any shape
    dtype : dtype, optional
        By default float32 for uint8; otherwise X's own floating dtype, or for integers and bool the one to
        which NumPy promotes them with float32.
    """
    scaled = to_unit_interval(X) if X.dtype == np.uint8 else X
    return scaled.astype(np.result_type(scaled, np.float32) if dtype is None else dtype, copy=False)


def check_unit_interval(X: np.ndarray) -> None:
    """Raise a ValueError unless X has floats in [0, 1], up to rounding.

    Parameters
    ----------
    X : array of any shape

    Raises
    ------
    ValueError
        A value is outside [0, 1] or NaN, or X does not have a floating dtype.
    """
    if X.size == 0:
        return
    low, high = X.min(), X.max()
    if np.isnan(low) or np.isnan(high):
        raise ValueError("X contains NaN; remove or replace these values")
    if not np.issubdtype(X.dtype, np.floating):
        raise ValueError(
            f"X is {X.dtype} with values from {low} to {high}, but must be uint8 (pixels 0..255) "
            "or floats in [0, 1]; use X.astype(np.uint8) for pixels 0..255, otherwise scale to [0, 1], "
            "for example (X - X.min()) / (X.max() - X.min())"
        )
    if low < -UNIT_TOLERANCE or high > 1 + UNIT_TOLERANCE:
        raise ValueError(
            f"X has values from {float(low):.9g} to {float(high):.9g}, outside [0, 1]; scale it first, for "
            "example X / 255 for pixels 0..255, or (X - X.min()) / (X.max() - X.min())"
        )
