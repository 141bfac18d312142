"""Iterate over blocks of an array, so that a memory-mapped file is never read as a whole."""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 16 * 2**20


def row_blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield consecutive blocks of rows that together are the array.

    Parameters
    ----------
    array : array of at least one dimension

    Yields
    ------
    block : view of consecutive rows, about 16 MiB, at least one row

    Examples
    --------
    >>> [block.shape for block in row_blocks(np.zeros((3, 2**20)))]
    [(2, 1048576), (1, 1048576)]
    """
    row_bytes = array.nbytes // max(len(array), 1)
    rows = max(BLOCK_BYTES // max(row_bytes, 1), 1)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]
