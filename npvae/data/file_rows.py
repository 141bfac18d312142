"""Rows of an array in a file: read when they are asked for, a few megabytes at a time."""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

BLOCK_BYTES = 4 * 2**20


class DataChangedError(OSError):
    """A file of data was changed while it was in use."""


class OpenFile:
    """A file that stays open until nothing uses it any longer.

    Parameters
    ----------
    file : binary file
        May be closed afterwards.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.name, self.number = file.name, os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.number)

    def state(self) -> tuple[int, int]:
        """Return what changes with a file: its size, and when it was last changed."""
        status = os.fstat(self.number)
        return status.st_size, status.st_mtime_ns

    def check(self, before: tuple[int, int]) -> None:
        """Raise a DataChangedError unless the file's state is as it was before."""
        if self.state() == before:
            return
        size, now = before[0], self.state()[0]
        how = "it was written to" if now == size else f"it had {size} bytes, now it has {now}"
        raise DataChangedError(f"{self.name} was changed while it was in use: {how}")


class MappedFile:
    """The file of a memory map that the caller made. It counts as changed only where it is cut off.

    Parameters
    ----------
    mapped : mmap
    name : str, optional
    """

    def __init__(self, mapped: mmap.mmap, name: str | None) -> None:
        self.mapped, self.name = mapped, name or "the file of a memory map"

    def state(self) -> int:
        """Return how many bytes the file must have: what it has, or more if it was cut off already."""
        return max(self.mapped.size(), len(self.mapped))

    def check(self, before: int) -> None:
        """Raise a DataChangedError if the file has become smaller."""
        size = self.mapped.size()
        if size < before:
            raise DataChangedError(
                f"{self.name} was cut off while it was in use: it had {before} bytes, now it has {size}"
            )


class FileRows:
    """Some rows of an array in a file, read when they are asked for.

    It has as much of an array's interface as training, inference and measurements need: shape and type,
    slices and arrays of row numbers, which return arrays in memory; `np.asarray` reads all rows. It can be
    pickled, and is then opened again from its file.

    Parameters
    ----------
    array : (M, D) memory map
    file : OpenFile or MappedFile
        The file that is mapped.
    rows : (N,) array of int, optional
        Which rows of `array`; all by default.
    dtype : dtype, optional
        To which values are converted where they are read; by default uint8 stays, and bool and other floats
        become float32.

    Raises
    ------
    DataChangedError
        At each access: size or time of change of the file are not as they were when it was opened. (Only
        where a file is cut off during the few microseconds of an access, the operating system ends the
        process, as with any memory map. To read each row with a system call takes three times as long.)
    """

    ndim = 2

    def __init__(
        self,
        array: np.ndarray,
        file: OpenFile | MappedFile,
        rows: np.ndarray | None = None,
        dtype: np.dtype | None = None,
    ) -> None:
        self.array, self.rows, self._file = array, rows, file
        self._state: Any = file.state()
        self.dtype = dtype or np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)
        self.shape = (len(array) if rows is None else len(rows), array.shape[1])
        self.size = self.shape[0] * self.shape[1]
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows, *columns = index if isinstance(index, tuple) else (index,)
        found = self.array[(self.numbers(rows), *columns)]
        with np.errstate(over="ignore"):  # readers refuse what is not finite in float32
            return np.array(found, self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def __reduce__(self) -> Any:
        if isinstance(self._file, MappedFile):
            return np.asarray, (self[:],)
        name, array = self._file.name, cast(np.memmap, self.array)
        if not isinstance(name, str):  # a file without a name: other processes find it here, on Linux
            name = f"/proc/{os.getpid()}/fd/{self._file.number}"
            if not os.path.exists(name):
                return np.asarray, (self[:],)
        order = "C" if array.flags.c_contiguous else "F"
        return _reopened, (name, array.dtype, array.offset, array.shape, order, self.rows, self._state)

    def numbers(self, rows: Any) -> Any:
        """Return where these rows are in `array`, after checking that the file is as it was."""
        self._file.check(self._state)
        return rows if self.rows is None else self.rows[rows]

    def take(self, rows: np.ndarray) -> "FileRows":
        """Return some of these rows, (n,) sorted numbers, without reading them."""
        smallest = np.min_scalar_type(len(self.array))
        return FileRows(self.array, self._file, self.numbers(rows).astype(smallest), self.dtype)


def map_file(array: np.ndarray, path: Path) -> FileRows:
    """Return the rows of a memory map (M, D) of a file."""
    with path.open("rb") as file:
        return FileRows(array, OpenFile(file))


def rows_of_map(array: np.ndarray) -> np.ndarray | FileRows:
    """Return an array (M, D) that lies in a memory map of a file as rows of that file, any other as it is.

    Where the file is cut off, reading the rows is then a DataChangedError; the array alone would end the
    process.
    """
    base, name = array, None
    while isinstance(base, np.ndarray):
        name = getattr(base, "filename", name)
        base = base.base  # type: ignore[assignment]
    if not isinstance(base, mmap.mmap):
        return array
    return FileRows(array, MappedFile(base, name), dtype=array.dtype)


def _reopened(
    name: str, dtype: np.dtype, offset: int, shape: tuple[int, int], order: Any, rows: Any, state: Any
) -> FileRows:
    with Path(name).open("rb") as file:
        OpenFile(file).check(state)
        return FileRows(np.memmap(file, dtype, "r", offset, shape, order), OpenFile(file), rows)


def write_rows(blocks: Iterable[np.ndarray], shape: tuple[int, int], dtype: np.dtype) -> FileRows:
    """Write blocks of rows into a temporary file that is gone with the process, and return them.

    Parameters
    ----------
    blocks : iterable of (n, D) arrays
        Together they have this shape; all have this dtype.
    shape : (N, D)
    dtype : dtype
        uint8 or float32.

    Raises
    ------
    OSError
        The folder for temporary files is full.
    """
    with tempfile.TemporaryFile() as file:
        for block in blocks:
            try:
                file.write(block.tobytes())
                file.flush()
            except OSError as error:
                raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error
        return FileRows(np.memmap(file, dtype, "r", shape=shape), OpenFile(file))


def row_blocks(array: np.ndarray | FileRows) -> Iterator[np.ndarray]:
    """Yield consecutive blocks of rows that together are the array.

    Parameters
    ----------
    array : array of at least one dimension

    Yields
    ------
    block : array of consecutive rows, about 4 MiB, at least one row

    Examples
    --------
    >>> [block.shape for block in row_blocks(np.zeros((3, 2**18)))]
    [(2, 262144), (1, 262144)]
    """
    row_bytes = array.nbytes // max(len(array), 1)
    rows = max(BLOCK_BYTES // max(row_bytes, 1), 1)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def row_numbers(n: int) -> np.ndarray:
    """Return 0 .. n - 1 in the smallest integers that hold them."""
    return np.arange(n, dtype=np.min_scalar_type(n))


def as_array(X: Any) -> Any:
    """Return X as an array; an array, a memory map and `FileRows` are returned as they are, unread."""
    return X if isinstance(X, FileRows) else np.asarray(X)
