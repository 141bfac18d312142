"""Arrays as one compressed text inside a page, and the description by which the page finds them again.

Weights are stored as float16, since they make up most of the file. The decoded images change by less than one
grey level of 255. The page computes in float64 with these rounded weights.
"""

import base64
import zlib
from typing import Any

import numpy as np


class ArrayPacker:
    """Collects arrays; each gets a description that JSON can hold, with its place in the packed bytes.

    Examples
    --------
    >>> packer = ArrayPacker()
    >>> packer.add_float16(np.array([[1.0, 0.5]]))
    {'offset': 0, 'shape': [1, 2], 'dtype': 'float16'}
    >>> packer.add_bytes(np.array([7, 8], dtype=np.uint8))
    {'offset': 4, 'shape': [2], 'dtype': 'uint8'}
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add_float16(self, values: np.ndarray) -> dict[str, Any]:
        """Add numbers, rounded to float16, and return their description.

        Raises
        ------
        ValueError
            A number is not finite, or larger than float16 can hold (65,504).

        Notes
        -----
        The high bytes of all numbers come first, then the low bytes. The signs and exponents of weights are
        alike and compress; the last bits of their fractions do not.
        """
        with np.errstate(over="ignore"):
            rounded = np.ascontiguousarray(values, dtype="<f2")
        if not np.isfinite(rounded).all():
            raise ValueError("a number is NaN, infinite or above 65,504, and cannot be stored as float16")
        planes = rounded.reshape(-1, 1).view(np.uint8)[:, ::-1].T  # (2, n): high bytes, low bytes
        return self._add(planes.tobytes(), values.shape, "float16")

    def add_bytes(self, values: np.ndarray) -> dict[str, Any]:
        """Add an array of uint8 and return its description."""
        if values.dtype != np.uint8:
            raise TypeError(f"values must be uint8, got {values.dtype}")
        return self._add(values.tobytes(), values.shape, "uint8")

    def text(self) -> str:
        """Return everything added so far, deflated (zlib's format) and in base64."""
        # "Filtered" looks for fewer repetitions, of which weights have none: 1 % smaller than the default.
        packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
        packed = packer.compress(b"".join(self._parts)) + packer.flush()
        return base64.b64encode(packed).decode("ascii")

    def _add(self, data: bytes, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
        description = {"offset": self._size, "shape": list(shape), "dtype": dtype}
        self._parts.append(data)
        self._size += len(data)
        return description


def quantize(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of numbers as uint8 indices into a table of at most 256 values.

    Parameters
    ----------
    X : (N, D) array
        uint8 means pixels 0..255, to be scaled to [0, 1]; or floats.

    Returns
    -------
    indices : (N, D) array, uint8
    levels : (L,) array, float64
        ``levels[indices]`` is X: exactly if X takes at most 256 values, else to half of 1/255 of its range.

    Examples
    --------
    >>> quantize(np.array([[0.0, 0.25, 0.25]]))
    (array([[0, 1, 1]], dtype=uint8), array([0.  , 0.25]))
    """
    if X.dtype == np.uint8:
        return X, np.arange(256) / 255
    levels, indices = np.unique(X.astype(np.float64), return_inverse=True)
    if len(levels) > 256:
        low, high = levels[0], levels[-1]
        levels = np.linspace(low, high, 256)
        indices = np.rint((X.astype(np.float64) - low) / (high - low) * 255)
    return indices.reshape(X.shape).astype(np.uint8), levels
