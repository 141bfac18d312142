"""IDX files, the format of MNIST and similar data sets.

An IDX file starts with two zero bytes, a byte for the type of its values, a byte for the number of
dimensions, and the size of each dimension as a big-endian 32-bit integer. The values follow, big-endian and
in C order, up to the end of the file.
"""

import gzip
import io
import math
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from npvae.data.dataset import Dataset
from npvae.data.files import Part, check_labels, dataset_of_parts, listing
from npvae.reading import reading

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 64  # NumPy's own limit
CHUNK_BYTES = 2**20
_LARGEST_RATIO = 1040  # deflate makes 258 bytes of two bits at best, which is 1032 of one byte

STEMS = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def load_idx_folder(folder: str | Path) -> Dataset:
    """Load a folder of files with MNIST's names.

    Parameters
    ----------
    folder : str or Path
        Contains train-images-idx3-ubyte and t10k-images-idx3-ubyte and, for labels, train-labels-idx1-ubyte
        and t10k-labels-idx1-ubyte. Each may end in .gz, and have ".idx" instead of "-idx" in its name.

    Returns
    -------
    dataset : Dataset
        Named after the folder. Bytes stay uint8; labels are int64, or None if their file is missing.

    Raises
    ------
    FileNotFoundError
        Training or test images are missing.
    ValueError
        A file is damaged, or the files do not match.
    """
    folder = Path(folder)
    return dataset_of_parts(folder.resolve().name, _read_part(folder, "train"), _read_part(folder, "test"))


def _read_part(folder: Path, part: str) -> Part:
    """Read the images (N, height, width) and labels (N,)."""
    X_path = find_idx(folder, f"X_{part}")
    if X_path is None:
        raise FileNotFoundError(
            f"{folder}: no {' or '.join(idx_names(f'X_{part}'))}; the folder contains {listing(folder)}"
        )
    X = read_idx(X_path, _check_images)
    y_path = find_idx(folder, f"y_{part}")
    if y_path is None:
        return Part(X, None, X_path)
    y = read_idx(y_path, partial(_check_labels, len(X), X_path))
    check_labels(X, X_path, y, y_path)
    return Part(X, y.astype(np.int64), X_path)


def _check_images(shape: tuple[int, ...], path: Path) -> None:
    if len(shape) != 3:
        raise ValueError(f"{path}: images must be (N, height, width), but the file's shape is {shape}")


def _check_labels(n: int, X_path: Path, shape: tuple[int, ...], path: Path) -> None:
    if len(shape) != 1:
        raise ValueError(f"{path}: labels must be one-dimensional, but have shape {shape}")
    if shape[0] != n:
        raise ValueError(
            f"{X_path} holds {n} samples but {path} {shape[0]} labels; the files do not belong together"
        )


def idx_names(array: str) -> list[str]:
    """Return the possible file names of an array, which is a key of `STEMS`.

    Examples
    --------
    >>> idx_names("y_test")[:2]
    ['t10k-labels-idx1-ubyte', 't10k-labels-idx1-ubyte.gz']
    """
    stem = STEMS[array]
    return [name + ending for name in (stem, stem.replace("-idx", ".idx")) for ending in ("", ".gz")]


def find_idx(folder: Path, array: str) -> Path | None:
    """Return the path of the file of an array, a key of `STEMS`, or None if the folder has none."""
    return next((folder / name for name in idx_names(array) if (folder / name).is_file()), None)


def read_idx(
    path: str | Path, check_shape: Callable[[tuple[int, ...], Path], None] = lambda shape, path: None
) -> np.ndarray:
    """Read one IDX file, plain or compressed by gzip.

    Parameters
    ----------
    path : str or Path
        Compression is detected from the first bytes, not from the name.
    check_shape : callable
        Given the shape that the header states and the path, before the values are read; raises a ValueError
        if other values are expected.

    Returns
    -------
    array : array with the shape and type in the file's header, in the machine's byte order

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        It is not an IDX file, is truncated, has extra bytes, or its compression is damaged. A wrong header
        cannot make it use more memory than the file's content, and values are read only if a file of this
        size can hold as many as the header claims.
    """
    path = Path(path)
    with reading(path):
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        try:
            with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
                most = path.stat().st_size * (_LARGEST_RATIO if compressed else 1)
                return _read_stream(stream, path, most, check_shape)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path}: damaged or incomplete gzip file ({error}); download it again"
            ) from error


def _read_stream(
    stream: io.BufferedIOBase,
    path: Path,
    most_bytes: int,
    check_shape: Callable[[tuple[int, ...], Path], None],
) -> np.ndarray:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise ValueError(
            f"{path}: not an IDX file: it starts with the bytes {magic.hex(' ') or '(none)'}, "
            "not with 00 00, a type and a number of dimensions"
        )
    code, ndim = magic[2], magic[3]
    if code not in DTYPES:
        raise ValueError(
            f"{path}: unknown IDX type 0x{code:02x}; "
            f"known types are {', '.join(f'0x{known:02x}' for known in DTYPES)}"
        )
    if not 1 <= ndim <= MAX_DIMENSIONS:
        raise ValueError(
            f"{path}: the IDX header states {ndim} dimensions, but 1 to {MAX_DIMENSIONS} are possible"
        )
    header = stream.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise ValueError(f"{path}: the file ends within its header; download it again")
    shape = struct.unpack(f">{ndim}I", header)
    if 0 in shape:
        raise ValueError(f"{path}: the IDX header states the shape {shape}: no values")
    dtype = np.dtype(DTYPES[code])
    n_bytes = math.prod(shape) * dtype.itemsize
    check_shape(shape, path)
    if n_bytes > most_bytes:
        raise ValueError(
            f"{path}: truncated: the header states shape {shape}, {n_bytes} bytes, more than a file of this "
            "size can hold; download it again"
        )
    data = _read_up_to(stream, n_bytes)
    if len(data) < n_bytes:
        raise ValueError(
            f"{path}: truncated: the header states shape {shape}, {n_bytes} bytes, but only {len(data)} "
            "bytes follow; download the file again"
        )
    # Reading past the values also makes gzip check its checksum.
    if stream.read(1):
        raise ValueError(
            f"{path}: extra bytes after the {n_bytes} bytes of shape {shape} that the header states; "
            "the file is damaged"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_up_to(stream: io.BufferedIOBase, n_bytes: int) -> bytearray:
    """Read n_bytes, or fewer if the stream is shorter."""
    data = bytearray()
    while len(data) < n_bytes:
        chunk = stream.read(min(CHUNK_BYTES, n_bytes - len(data)))
        if not chunk:
            break
        data += chunk
    return data
