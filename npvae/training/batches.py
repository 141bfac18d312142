"""Minibatches: rows drawn in a random order, as float32 in the network's units."""

from collections.abc import Callable, Iterator

import numpy as np

from npvae.data import binarize
from npvae.data.file_rows import FileRows
from npvae.kernels import compiled_twin


@compiled_twin
def take_pixels(X: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows (n,) of pixels X (M, D), uint8 for 0..255, as (n, D) float32 in [0, 1]."""
    return np.divide(X[rows], 255, dtype=np.float32)


def minibatches(
    X: np.ndarray,
    order: np.ndarray,
    batch_size: int,
    rng: np.random.Generator,
    *,
    dtype: np.dtype,
    dynamic_binarization: bool = False,
    part: Callable[[int], slice] = slice,
) -> Iterator[np.ndarray]:
    """Go through some rows of X in the order given.

    Parameters
    ----------
    X : (M, D) array
        May be a memory map or `FileRows`: only the rows of a batch are read and converted.
    order : (N,) array of int
        Which rows.
    batch_size : int
        The last batch holds what is left.
    rng : Generator
        Binarises.
    dtype : dtype
        Of the batches.
    dynamic_binarization : bool
        Draw every batch's pixels anew from Bernoulli(x).
    part : callable, optional
        Takes the size of a batch and returns which of its rows to yield; all by default. The pixels drawn are
        those of the whole batch.

    Yields
    ------
    x : (n, D) array, n <= batch_size
    """
    array = X.array if isinstance(X, FileRows) else X
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        own = part(len(batch))
        if not dynamic_binarization:
            batch = batch[own]
        if isinstance(X, FileRows):
            batch = X.numbers(batch)
        x = take_pixels(array, batch.astype(np.int64, copy=False)) if X.dtype == np.uint8 else array[batch]
        x = x.astype(dtype, copy=False)
        yield binarize(x, rng)[own] if dynamic_binarization else x
