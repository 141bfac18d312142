"""NumPy's .npy files: one to be split, or a folder that is split already."""

from pathlib import Path

import numpy as np

from npvae.data.dataset import Dataset
from npvae.data.files import as_rows, check_labels, check_same_shape, listing
from npvae.data.split import split_indices


def load_npy_file(path: str | Path, *, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Load one array of samples and split it at random.

    Parameters
    ----------
    path : str or Path
        A .npy file with an array (N, D), or (N, height, width) for images, of uint8 (pixels 0..255), bool or
        floats.
    test_fraction : float in (0, 1)
        Part of the samples that is set aside for testing.
    seed : int
        Decides which samples those are.

    Returns
    -------
    dataset : Dataset
        Named after the file, without labels; uint8 stays, everything else is float32.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds something else, or test_fraction is out of range.
    """
    path = Path(path)
    X, image_shape = as_rows(_map_npy(path), path)
    train, test = split_indices(len(X), test_fraction, seed)
    return Dataset(path.stem, np.asarray(X[train]), None, np.asarray(X[test]), None, image_shape)


def load_npy_folder(folder: str | Path) -> Dataset:
    """Load X_train.npy and X_test.npy and, where they exist, y_train.npy and y_test.npy.

    Parameters
    ----------
    folder : str or Path
        The samples are arrays as in `load_npy_file`, the labels integers or strings of shape (N,).

    Returns
    -------
    dataset : Dataset
        Named after the folder. uint8 and float32 samples are read-only memory maps, so they may be larger
        than the memory.

    Raises
    ------
    FileNotFoundError
        If X_train.npy or X_test.npy is missing.
    ValueError
        If a file is damaged or holds something else, or the files do not fit each other.
    """
    folder = Path(folder)
    X_train, y_train, train_path = _read_part(folder, "train")
    X_test, y_test, test_path = _read_part(folder, "test")
    rows_train, image_shape = as_rows(X_train, train_path)
    rows_test, _ = as_rows(X_test, test_path)
    check_same_shape(X_train, train_path, X_test, test_path)
    return Dataset(folder.resolve().name, rows_train, y_train, rows_test, y_test, image_shape)


def _read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray | None, Path]:
    """Map the samples and read the labels of one part; return the samples' path too."""
    X_path, y_path = folder / f"X_{part}.npy", folder / f"y_{part}.npy"
    if not X_path.is_file():
        raise FileNotFoundError(f"{folder}: no {X_path.name}; the folder contains {listing(folder)}")
    X = _map_npy(X_path)
    if not y_path.is_file():
        return X, None, X_path
    y = _map_npy(y_path)
    check_labels(X, X_path, y, y_path)
    return X, np.array(y), X_path


def _map_npy(path: Path) -> np.memmap:
    """Map a .npy file into memory, read-only, after checking that it is whole."""
    try:
        with np.errstate(over="ignore"):  # a damaged shape may overflow on its way to being refused
            array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{path}: not a complete .npy file ({error}); write it with np.save, not with dtype object"
        ) from error
    left_over = path.stat().st_size - array.offset - array.nbytes
    if left_over:
        raise ValueError(
            f"{path}: {left_over} bytes left over after an array of shape {array.shape}; save it again"
        )
    return array
