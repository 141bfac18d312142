"""Where results are written: pictures, arrays and tables, by the file's ending."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from npvae.writing import check_writable, write_atomically


def check_file(path: Path, *endings: str) -> None:
    """Raise, before any work is done, unless a file of one of these endings can be written at `path`.

    Raises
    ------
    ValueError
        The ending is another one.
    OSError
        `path` is a folder, a device or a link to itself, or its own folder cannot be made or written to.
    """
    if path.suffix not in endings:
        raise ValueError(f"{path}: --out must end in {' or '.join(endings)}")
    check_writable(path)


def write_array(path: Path, X: np.ndarray) -> None:
    """Write X as .npy, atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, X, allow_pickle=False)

    write_atomically(path, write)


def write_table(path: Path | None, columns: Sequence[str], rows: np.ndarray) -> None:
    """Write rows, (N, columns) or (N,), as .npy or .csv, atomically; without a path, as CSV to stdout.

    Nine digits give every float32 back to the last bit.
    """
    if path is not None and path.suffix == ".npy":
        write_array(path, rows)
        return
    header = ",".join(columns)
    write = partial(np.savetxt, X=rows, fmt="%.9g", delimiter=",", header=header, comments="")
    if path is None:
        write(sys.stdout)
    else:
        write_atomically(path, write)


def write_picture_or_array(path: Path, X: np.ndarray, draw: Callable[[], Any]) -> None:
    """Write the figure or axes that `draw` returns (.png), or X as it is (.npy)."""
    if path.suffix == ".npy":
        write_array(path, X)
        return
    from npvae.view import save_figure

    save_figure(draw(), path)
