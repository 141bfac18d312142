"""Content hash of arrays, to identify data."""

import hashlib

import numpy as np

from npvae.data.file_rows import row_blocks


def content_hash(*arrays: np.ndarray | None) -> str:
    """SHA-256 over the dtype, shape and values of each array in turn.

    Parameters
    ----------
    *arrays : arrays of at least one dimension and any dtype but object, or None
        None contributes to the hash too, so that missing labels change it.

    Returns
    -------
    digest : str of 64 hexadecimal digits
        Independent of the memory layout and of the machine's byte order.

    Raises
    ------
    ValueError
        An array has dtype object, whose bytes are addresses rather than content.

    Examples
    --------
    >>> content_hash(np.zeros((2, 3), np.uint8)) == content_hash(np.zeros((3, 2), np.uint8))
    False
    """
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"None\n")
            continue
        if array.dtype.hasobject:
            raise ValueError("an array of dtype object cannot be hashed; convert it to numbers or strings")
        little_endian = array.dtype.newbyteorder("<")
        digest.update(f"{little_endian.str} {array.shape}\n".encode())
        for block in row_blocks(array):
            digest.update(block.astype(little_endian, copy=False).tobytes())
    return digest.hexdigest()
