"""From what the user names to a data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from npvae.data import binarization
from npvae.data.arrays import load_npy_file, load_npy_folder
from npvae.data.dataset import Dataset
from npvae.data.digits import load_digits
from npvae.data.files import listing
from npvae.data.idx import STEMS, find_idx, load_idx_folder
from npvae.data.openml import load_openml_mnist

CHOICES = (
    "'digits' (embedded), 'openml:mnist' (downloaded), a folder with MNIST-like IDX files "
    "(train-images-idx3-ubyte, t10k-images-idx3-ubyte, plain or .gz), a folder with X_train.npy and "
    "X_test.npy, or a .npy file"
)


def load_dataset(
    spec: str | Path, *, test_fraction: float = 0.2, seed: int = 0, binarize: str = "grey"
) -> Dataset:
    """Load the data set that spec names.

    Parameters
    ----------
    spec : str or Path
        "digits"; "openml:mnist"; a folder with MNIST-like IDX files, or with X_train.npy and X_test.npy
        (these come first if both are there); or a .npy file. A folder called digits is "./digits".
    test_fraction : float in (0, 1)
        Part set aside for testing, for "digits" and a single .npy file; the others bring their own test data.
    seed : int
        For the split and for static binarisation, which use independent streams of it.
    binarize : {"grey", "static"}
        "grey" leaves the data as they are. "static" draws each pixel once, see the function
        `npvae.data.binarize`; drawing for every batch, dynamic binarisation, is for the training loop to do
        on grey data.

    Returns
    -------
    dataset : Dataset
        uint8 (0..255; statically binarised: 0 and 255) or float32.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or the folder lacks the files looked for.
    ConnectionError
        If OpenML cannot be reached.
    ValueError
        If spec names nothing known, a file is damaged, or an option is out of range.

    Examples
    --------
    >>> load_dataset("digits", binarize="static").X_train[0, :8]
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """
    if binarize not in ("grey", "static"):
        raise ValueError(f"binarize must be 'grey' or 'static', but is {binarize!r}")
    dataset = _load_grey(spec, test_fraction, seed)
    if binarize == "grey":
        return dataset
    (rng,) = np.random.default_rng(seed).spawn(1)
    return replace(
        dataset,
        X_train=binarization.binarize(dataset.X_train, rng),
        X_test=binarization.binarize(dataset.X_test, rng),
    )


def _load_grey(spec: str | Path, test_fraction: float, seed: int) -> Dataset:
    if spec == "digits":
        return load_digits(test_fraction=test_fraction, seed=seed)
    if spec == "openml:mnist":
        return load_openml_mnist()
    path = Path(spec)
    if path.is_dir():
        return _load_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no data set, file or folder {str(spec)!r}; possible are {CHOICES}")
    if path.suffix != ".npy":
        raise ValueError(f"{path}: not a kind of file that can be read; possible are {CHOICES}")
    return load_npy_file(path, test_fraction=test_fraction, seed=seed)


def _load_folder(folder: Path) -> Dataset:
    if any((folder / f"{array}.npy").is_file() for array in STEMS):
        return load_npy_folder(folder)
    if any(find_idx(folder, array) for array in STEMS):
        return load_idx_folder(folder)
    raise FileNotFoundError(
        f"{folder}: no data found; looked for X_train.npy, X_test.npy, and {', '.join(STEMS.values())} "
        f"(plain or .gz); the folder contains {listing(folder)}"
    )
