"""Save figures to PNG files."""

import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from npvae.writing import write_atomically

_DPI = 150  # 12 inches are 1800 pixels: sharp on a projected slide


def save_figure(drawn: Figure | Axes, path: str | os.PathLike[str]) -> None:
    """Write a figure to a PNG file and close it; an existing file is replaced atomically.

    Parameters
    ----------
    drawn : Figure or Axes
        A figure, or any of its axes, which the drawing functions return.
    path : path
        Must end in .png. Its folder is created if it is missing. Equal figures give equal bytes.

    Raises
    ------
    ValueError
        `path` does not end in .png.
    OSError
        The file cannot be written.
    """
    from matplotlib import pyplot

    figure = drawn.get_figure(root=True)
    assert figure is not None, "these axes were removed from their figure"
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: pictures are saved as PNG; use a name that ends in .png")
    try:
        write_atomically(
            path,
            lambda temporary: figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None}),
        )
    finally:
        pyplot.close(figure)
