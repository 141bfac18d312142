"""Draw binary pixels from grey ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from npvae.data.file_rows import FileRows, row_blocks, write_rows
from npvae.data.scaling import check_unit_interval


def binarize(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw each pixel as Bernoulli with its grey value as the probability of white.

    Drawing once for a whole data set is static binarisation. Drawing anew for every batch is dynamic
    binarisation: the model sees several versions of each image and so generalises better.

    Parameters
    ----------
    x : array of any shape
        Floats in [0, 1], or uint8 meaning pixels 0..255.
    rng : numpy.random.Generator
        Its state advances.

    Returns
    -------
    drawn : array of x's shape and dtype
        0 and 1 for floats, 0 and 255 for uint8; its expectation is x.

    Raises
    ------
    ValueError
        x has floats outside [0, 1], NaN, or another dtype.

    Notes
    -----
    A uniform u on [0, 1) is below x with probability x. Likewise, a uniform u on 0..254 is below the
    integer k with probability k / 255. Both limits are exact: 0 stays 0 and white stays white.

    References
    ----------
    Salakhutdinov & Murray 2008 (static); Burda et al. 2016, section 5 (dynamic).

    Examples
    --------
    >>> binarize(np.array([0.0, 1.0, 0.5, 0.5, 0.5]), np.random.default_rng(0))
    array([0., 1., 1., 1., 0.])
    """
    if x.dtype == np.uint8:
        drawn: np.ndarray = rng.integers(0, 255, size=x.shape, dtype=np.uint8)
        np.less(drawn, x, out=drawn)
        return np.multiply(drawn, np.uint8(255), out=drawn)
    check_unit_interval(x)
    drawn = rng.random(x.shape, dtype=np.float64 if x.dtype == np.float64 else np.float32)
    return np.less(drawn, x, out=drawn).astype(x.dtype, copy=False)


def binarize_rows(X: Any, rng: np.random.Generator) -> Any:
    """Binarise an array or `FileRows`; from the latter, rows go to a temporary file block by block.

    Parameters
    ----------
    X : (N, D) array or FileRows, uint8 or float32
    rng : numpy.random.Generator

    Returns
    -------
    drawn : (N, D) array or FileRows
        The same pixels, and the same state of `rng` afterwards, as for `binarize` of the whole array.

    Raises
    ------
    ValueError
        As for `binarize`.
    OSError
        The folder for temporary files is full.
    """
    if not isinstance(X, FileRows):
        return binarize(X, rng)
    blocks = _binary_pixels(X, rng) if X.dtype == np.uint8 else (binarize(x, rng) for x in row_blocks(X))
    return write_rows(blocks, X.shape, X.dtype)


def _binary_pixels(X: FileRows, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield blocks of pixels, drawn as by `binarize` from all pixels at once.

    For integers below 255, NumPy multiplies each random byte by 255, keeps the upper byte, and rejects a
    byte whose lower one is then 0. So a byte b > 0 gives b - 1, and 0 is skipped. It takes four bytes at a
    time, and at the end of an array throws the rest away: between blocks it must be kept.
    """
    kept = np.empty(0, np.uint8)
    for x in row_blocks(X):
        while len(kept) < x.size:
            words = rng.integers(2**32, size=-(-(x.size - len(kept)) // 4), dtype=np.uint32)
            drawn = words.astype("<u4", copy=False).view(np.uint8)
            kept = np.concatenate([kept, drawn[drawn > 0] - np.uint8(1)])
        white = kept[: x.size].reshape(x.shape) < x
        kept = kept[x.size :]
        yield np.multiply(white, np.uint8(255), dtype=np.uint8)
