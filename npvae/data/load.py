"""Load data sets by name or by path."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from npvae.data.arrays import load_npy_folder, read_npy, read_npz
from npvae.data.binarization import binarize_rows
from npvae.data.dataset import Dataset, Samples
from npvae.data.digits import read_digits
from npvae.data.file_rows import FileRows, row_blocks, write_rows
from npvae.data.files import listing
from npvae.data.idx import STEMS, find_idx, load_idx_folder
from npvae.data.images import class_folders, image_files, read_image_folder
from npvae.data.openml import load_openml_mnist
from npvae.data.tables import read_csv

CHOICES = (
    "'digits' (embedded), 'openml:mnist' (downloaded), a folder with MNIST-like IDX files "
    "(train-images-idx3-ubyte, t10k-images-idx3-ubyte, plain or .gz), a folder with X_train.npy and "
    "X_test.npy, a folder of PNG or JPEG images, or a .npy, .npz or .csv file"
)


def load_dataset(
    spec: str | Path, *, test_fraction: float = 0.2, seed: int = 0, binarize: str = "grey"
) -> Dataset:
    """Load a data set by name or path.

    Parameters
    ----------
    spec : str or Path
        "digits"; "openml:mnist"; a folder with X_train.npy and X_test.npy, with MNIST-like IDX files, or with
        PNG or JPEG images (looked for in this order); or a .npy, .npz or .csv file. A folder called digits is
        "./digits". Each kind is described where it is read: `load_npy_folder`, `load_idx_folder`,
        `read_image_folder`, `read_npy`, `read_npz`, `read_csv`.
    test_fraction : float in (0, 1)
        Fraction of samples used for testing, for "digits", single files and folders of images; the others
        have their own test data.
    seed : int
        Seed of the split and of static binarisation, which use independent random streams.
    binarize : {"grey", "static"}
        "grey" leaves the data unchanged. "static" draws each pixel once: see the function
        `npvae.data.binarize`. For dynamic binarisation, load grey data; the training loop then draws the
        pixels of every batch.

    Returns
    -------
    dataset : Dataset
        uint8 (0..255; statically binarised: 0 and 255) or float32.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder, or the folder does not contain the expected files.
    ConnectionError
        OpenML cannot be reached.
    ValueError
        The type of file is unknown, a file is damaged, or an option is out of range.

    Examples
    --------
    >>> load_dataset("digits", binarize="static").X_train[0, :8]
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """
    _check_binarize(binarize)
    found = _read(spec)
    data = found.split(test_fraction, seed) if isinstance(found, Samples) else found
    return data if binarize == "grey" else _static(data, seed)


def load_samples(
    spec: str | Path, part: str | None = None, *, seed: int = 0, binarize: str = "grey"
) -> Samples:
    """Load one part of a data set, or all of it, in its stored order.

    Parameters
    ----------
    spec : str or Path
        As for `load_dataset`.
    part : {"all", "train", "test"}, optional
        "train" and "test" are the parts of `load_dataset` with the same seed. "all" means all samples of a
        single file or a folder of images, even if there are too few to split; for data in two parts, the
        training samples followed by the test samples. The default is "all" for a single file or a folder of
        images, and "test" for data in two parts and for "digits".
    seed, binarize : int, str
        As for `load_dataset`.

    Returns
    -------
    samples : Samples

    Raises
    ------
    FileNotFoundError, ConnectionError, ValueError
        As for `load_dataset`, or part is unknown.

    Examples
    --------
    >>> load_samples("digits").X.shape, load_samples("digits", "all").y[:5]
    ((359, 64), array([0, 1, 2, 3, 4]))
    """
    if part not in (None, "all", "train", "test"):
        raise ValueError(f"part must be 'all', 'train' or 'test', but is {part!r}")
    _check_binarize(binarize)
    found = _read(spec)
    if part is None:
        part = "all" if isinstance(found, Samples) and spec != "digits" else "test"
    if part == "all" and isinstance(found, Samples):
        if binarize == "grey":
            return found
        return replace(found, X=binarize_rows(found.X, _binarization_rng(seed)))
    data = found.split(seed=seed) if isinstance(found, Samples) else found
    data = _static(data, seed) if binarize == "static" else data
    if part == "train":
        X, y = data.X_train, data.y_train
    elif part == "test":
        X, y = data.X_test, data.y_test
    else:
        X = _joined(data)
        labelled = data.y_train is not None and data.y_test is not None
        y = np.concatenate([data.y_train, data.y_test]) if labelled else None
    return Samples(data.name, X, y, data.image_shape)


def _check_binarize(binarize: str) -> None:
    if binarize not in ("grey", "static"):
        raise ValueError(f"binarize must be 'grey' or 'static', but is {binarize!r}")


def _joined(data: Dataset) -> Any:
    """Return the training samples followed by the test samples; in a file if one of the parts is in one."""
    parts = data.X_train, data.X_test
    if not any(isinstance(X, FileRows) for X in parts):
        return np.concatenate(parts)
    shape = sum(map(len, parts)), data.n_features
    return write_rows(chain.from_iterable(map(row_blocks, parts)), shape, data.X_train.dtype)


def _static(data: Dataset, seed: int) -> Dataset:
    rng = _binarization_rng(seed)
    return replace(
        data,
        X_train=binarize_rows(data.X_train, rng),
        X_test=binarize_rows(data.X_test, rng),
    )


def _binarization_rng(seed: int) -> np.random.Generator:
    (rng,) = np.random.default_rng(seed).spawn(1)
    return rng


def _read(spec: str | Path) -> Samples | Dataset:
    if spec == "digits":
        return read_digits()
    if spec == "openml:mnist":
        return load_openml_mnist()
    path = Path(spec)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no data set, file or folder named {str(spec)!r}; give one of: {CHOICES}")
    if not path.is_file():  # reading from a pipe or a device may never end
        raise ValueError(f"{path} is no regular file; give one of: {CHOICES}")
    read = {".npy": read_npy, ".npz": read_npz, ".csv": read_csv}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"{path}: unsupported file type {path.suffix!r}; supported are {CHOICES}")
    return read(path)


def _read_folder(folder: Path) -> Samples | Dataset:
    if any((folder / f"{array}.npy").is_file() for array in STEMS):
        return load_npy_folder(folder)
    if any(find_idx(folder, array) for array in STEMS):
        return load_idx_folder(folder)
    if image_files(folder) or class_folders(folder):
        return read_image_folder(folder)
    raise FileNotFoundError(
        f"{folder}: no data found; looked for X_train.npy, X_test.npy, {', '.join(STEMS.values())} "
        f"(plain or .gz), and PNG or JPEG images; the folder contains {listing(folder)}"
    )
