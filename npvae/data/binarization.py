"""Draw binary pixels from grey ones."""

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
        From float32 the same pixels as from `binarize` of the whole array; from uint8 others, as NumPy
        discards what is left of its random bytes after each block.

    Raises
    ------
    ValueError
        As for `binarize`.
    OSError
        The folder for temporary files is full.
    """
    if not isinstance(X, FileRows):
        return binarize(X, rng)
    return write_rows((binarize(x, rng) for x in row_blocks(X)), X.shape, X.dtype)
