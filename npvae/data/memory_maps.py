"""Work on memory-mapped files a few megabytes at a time, so that they are never read as a whole."""

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

BLOCK_BYTES = 16 * 2**20
LARGE_BYTES = 2**28  # of a memory map from which on rows are not copied


class MappedRows:
    """Some rows of a memory map, read when they are asked for.

    It has as much of an array's interface as training and inference need: shape and type, slices and arrays
    of row numbers; `np.asarray` reads all.

    Parameters
    ----------
    array : (M, D) array
    rows : (N,) array of int
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array, self.rows = array, rows
        self.shape, self.dtype, self.ndim = (len(rows), array.shape[1]), array.dtype, 2
        self.size = len(rows) * array.shape[1]
        self.nbytes = self.size * array.dtype.itemsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        rows, *columns = index if isinstance(index, tuple) else (index,)
        return np.asarray(self.array[(self.rows[rows], *columns)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def is_large_map(array: np.ndarray | MappedRows) -> bool:
    """Say whether an array is a file, or rows of one, that is not to be copied into memory."""
    return isinstance(array, np.memmap | MappedRows) and array.nbytes >= LARGE_BYTES


def map_blocks(function: Callable[[np.ndarray], np.ndarray], array: np.ndarray | MappedRows) -> np.ndarray:
    """Apply a function to blocks of rows, and keep the results in a file that is gone with the process.

    Parameters
    ----------
    function : callable
        Returns an array of its argument's shape and type.
    array : array
    """
    with tempfile.TemporaryFile() as file:  # the map keeps its content
        result = np.memmap(file, array.dtype, "w+", shape=array.shape)
    start = 0
    for block in row_blocks(array):
        result[start : start + len(block)] = function(block)
        start += len(block)
    return result


def row_blocks(array: np.ndarray | MappedRows) -> Iterator[np.ndarray]:
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
