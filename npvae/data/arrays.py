"""Read NumPy files: a .npy file, a folder of .npy files, or an .npz file."""

from pathlib import Path

import numpy as np

from npvae.data.dataset import Dataset, Samples
from npvae.data.files import Part, as_rows, check_labels, dataset_of_parts, listing
from npvae.printable import printable
from npvae.reading import reading

_NPZ = "an .npz file must contain one array, or X_train and X_test, with y_train and y_test for labels"


def read_npy(path: str | Path) -> Samples:
    """Read one array of samples.

    Parameters
    ----------
    path : str or Path
        A .npy file with an array (N, D), or (N, height, width) for images, of uint8 (pixels 0..255), bool or
        floats.

    Returns
    -------
    samples : Samples
        Named after the file, without labels. Other dtypes than uint8 become float32. A file of 64 MiB or
        more is not read into memory: X is then `FileRows`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        The file is damaged, or its content is not as described.
    """
    path = Path(path)
    X, image_shape = as_rows(_map_npy(path), path)
    return Samples(path.stem, X, image_shape=image_shape)


def read_npz(path: str | Path) -> Samples | Dataset:
    """Read one array of samples, or training and test data.

    Parameters
    ----------
    path : str or Path
        An .npz file with one array of any name, or with X_train and X_test and optionally the labels y_train
        and y_test. A lower-case x is accepted, as in Keras's mnist.npz. Samples are arrays as in `read_npy`,
        labels integers or strings of shape (N,).

    Returns
    -------
    data : Samples or Dataset
        Named after the file; `Samples` for one array, else a `Dataset`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        The file is damaged, has other arrays or arrays of objects, or its arrays do not match.
    """
    path = Path(path)
    arrays = _arrays_of(path)
    if len(arrays) == 1:
        ((name, array),) = arrays.items()
        X, image_shape = as_rows(array, path / name)
        return Samples(path.stem, X, image_shape=image_shape)
    named = {name.replace("x_", "X_"): array for name, array in arrays.items()}
    known = {"X_train", "X_test", "y_train", "y_test"}
    if len(named) < len(arrays) or not {"X_train", "X_test"} <= set(named) <= known:
        raise ValueError(f"{path}: contains the arrays {', '.join(arrays) or '(none)'}; {_NPZ}")
    for part in ("train", "test"):
        if f"y_{part}" in named:
            check_labels(named[f"X_{part}"], path / f"X_{part}", named[f"y_{part}"], path / f"y_{part}")
    train, test = (Part(named[f"X_{p}"], named.get(f"y_{p}"), path / f"X_{p}") for p in ("train", "test"))
    return dataset_of_parts(path.stem, train, test)


def load_npy_folder(folder: str | Path) -> Dataset:
    """Load X_train.npy and X_test.npy and, if they exist, y_train.npy and y_test.npy.

    Parameters
    ----------
    folder : str or Path
        Samples are arrays as in `read_npy`, labels integers or strings of shape (N,).

    Returns
    -------
    dataset : Dataset
        Named after the folder. Files of 64 MiB or more are not read into memory, as in `read_npy`.

    Raises
    ------
    FileNotFoundError
        X_train.npy or X_test.npy is missing.
    ValueError
        A file is damaged, its content is not as described, or the files do not match.
    """
    folder = Path(folder)
    return dataset_of_parts(folder.resolve().name, _read_part(folder, "train"), _read_part(folder, "test"))


def _read_part(folder: Path, part: str) -> Part:
    """Memory-map the samples and read the labels."""
    X_path, y_path = folder / f"X_{part}.npy", folder / f"y_{part}.npy"
    if not X_path.is_file():
        raise FileNotFoundError(f"{folder}: no {X_path.name}; the folder contains {listing(folder)}")
    X = _map_npy(X_path)
    if not y_path.is_file():
        return Part(X, None, X_path)
    y = _map_npy(y_path)
    check_labels(X, X_path, y, y_path)
    return Part(X, np.array(y), X_path)


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file."""
    with path.open("rb") as file:
        try:
            with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except MemoryError:
            raise
        except Exception as error:  # damaged headers raise anything, from TokenError to RecursionError
            raise ValueError(
                f"{path}: not a complete .npz file ({printable(error, 300)}); write it with "
                "np.savez, not with dtype object"
            ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path}: {name} is not an array; {_NPZ}")
    return arrays


def _map_npy(path: Path) -> np.memmap:
    """Memory-map a .npy file, read-only, after checking that it is complete."""
    try:
        with reading(path), np.errstate(over="ignore"):  # a damaged shape may overflow before it is rejected
            array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # damaged headers raise anything, from TokenError to RecursionError
        raise ValueError(
            f"{path}: not a complete .npy file ({printable(error, 300)}); write it with np.save, "
            "not with dtype object"
        ) from error
    left_over = path.stat().st_size - array.offset - array.nbytes
    if left_over:
        raise ValueError(
            f"{path}: {left_over} extra bytes after an array of shape {array.shape}; save it again"
        )
    return array
