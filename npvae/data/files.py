"""What all readers of files share: checks of stored arrays, whose errors name the file."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npvae.data.dataset import Dataset
from npvae.data.file_rows import FileRows, map_file, row_blocks

LARGE_BYTES = 2**26  # of a .npy file from which on it is not read into memory


def as_rows(array: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[int, int] | None]:
    """Check stored samples, and convert them to the form of a `Dataset`.

    Parameters
    ----------
    array : (N, D) or (N, height, width) array
        uint8 (pixels 0..255), bool, or any floating dtype.
    path : Path
        Origin of the array, for error messages.

    Returns
    -------
    X : (N, D) array or FileRows, uint8 or float32
        `FileRows` of a memory map of 64 MiB or more; a smaller one is read. bool becomes 0 and 1 in float32.
    image_shape : (height, width), or None for a two-dimensional array

    Raises
    ------
    ValueError
        The array has another number of dimensions or another dtype, is empty, or has NaN or infinity; or it
        is uint8 without a value above 1, which as pixels 0..255 would be an almost black image.
    """
    if array.ndim not in (2, 3):
        raise ValueError(
            f"{path}: an array of shape {array.shape}; samples must be (N, D), "
            "or (N, height, width) for images"
        )
    if array.size == 0:
        raise ValueError(f"{path}: an array of shape {array.shape} has no values")
    image_shape = None if array.ndim == 2 else (array.shape[1], array.shape[2])
    X: Any = array.reshape(len(array), -1)
    if X.dtype not in (np.uint8, np.bool_) and not np.issubdtype(X.dtype, np.floating):
        raise ValueError(
            f"{path}: samples of dtype {X.dtype}; save pixels 0..255 as uint8 (X.astype(np.uint8)), "
            "anything else as float32"
        )
    if isinstance(array, np.memmap) and np.may_share_memory(X, array):
        X = map_file(X, path) if X.nbytes >= LARGE_BYTES else np.array(X)
    if X.dtype == np.uint8:
        if max(block.max() for block in row_blocks(X)) <= 1:
            raise ValueError(
                f"{path}: uint8 means pixels 0..255, but no value is above 1; "
                "save binary images as bool or float32, or with 255 for white"
            )
        return X, image_shape
    if not isinstance(X, FileRows):
        with np.errstate(over="ignore"):
            X = X.astype(np.float32, copy=False)
    if not all(np.isfinite(block).all() for block in row_blocks(X)):
        raise ValueError(
            f"{path}: contains NaN, infinity or a number too large for float32; remove or replace it"
        )
    return X, image_shape


class Part(NamedTuple):
    """Training or test samples as they are stored.

    Attributes
    ----------
    X : (N, D) or (N, height, width) array
    y : (N,) array or None
        Labels.
    path : Path
        Origin of X, for error messages.
    """

    X: np.ndarray
    y: np.ndarray | None
    path: Path


def dataset_of_parts(name: str, train: Part, test: Part) -> Dataset:
    """Check stored training and test samples, and return them as a data set.

    Raises
    ------
    ValueError
        A part is unsuitable, as for `as_rows`, or their samples have different shapes.
    """
    X_train, image_shape = as_rows(train.X, train.path)
    X_test, _ = as_rows(test.X, test.path)
    if train.X.shape[1:] != test.X.shape[1:]:
        raise ValueError(
            f"{train.path} has samples of shape {train.X.shape[1:]}, but {test.path} has samples of shape "
            f"{test.X.shape[1:]}; training and test samples must have the same shape"
        )
    return Dataset(name, X_train, train.y, X_test, test.y, image_shape)


def check_labels(X: np.ndarray, X_path: Path, y: np.ndarray, y_path: Path) -> None:
    """Raise a ValueError unless y has one label, an integer or a string, for each row of X."""
    if y.ndim != 1:
        raise ValueError(f"{y_path}: labels must be one-dimensional, but have shape {y.shape}")
    if y.dtype.kind not in "biuUS":
        raise ValueError(f"{y_path}: labels of dtype {y.dtype}; save them as integers or strings")
    if len(X) != len(y):
        raise ValueError(
            f"{X_path} has {len(X)} samples, {y_path} has {len(y)} labels; the files do not belong together"
        )


def listing(folder: Path) -> str:
    """Return up to ten names in a folder, in alphabetical order, and the number of others."""
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "nothing"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
