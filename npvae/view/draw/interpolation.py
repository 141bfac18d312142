"""Interpolations between two images, next to the images themselves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from npvae.data.scaling import as_floats
from npvae.view.draw.images import draw_image_rows
from npvae.view.draw.tiles import ImageShape, ValueRange, frame_tiles


def draw_interpolation(
    paths: Mapping[str, np.ndarray],
    ends: np.ndarray,
    image_shape: ImageShape = None,
    *,
    title: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw interpolations between two images, one per row, between the two framed images.

    Parameters
    ----------
    paths : mapping from a name to (n, D) array
        From `npvae.study.interpolate_images`. The names are, for example, kinds ("linear", "spherical") or
        models ("AE", "VAE").
    ends : (2, D) array
        The images at the start and at the end.
    image_shape : (height, width) or None
    title : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes
        Column 0 contains the first image, column n + 1 the other, and columns 1 to n the interpolation.

    Raises
    ------
    ValueError
        The shapes do not match.
    """
    if len({np.shape(path) for path in paths.values()}) != 1:
        raise ValueError(f"all paths must have the same shape, but have {[*map(np.shape, paths.values())]}")
    first = next(iter(paths.values()))
    if first.ndim != 2 or np.shape(ends) != (2, first.shape[1]):
        raise ValueError(f"paths of shape {first.shape} need ends of shape (2, D), got {np.shape(ends)}")
    start, stop = as_floats(ends)[:, None]
    rows = {name: np.concatenate([start, as_floats(path), stop]) for name, path in paths.items()}
    shares = [f"{share:.0%}" for share in np.linspace(0, 1, len(first))]
    ax = draw_image_rows(
        rows,
        image_shape,
        column_names=["from", *shares, "to"],
        title=title,
        value_range=value_range,
        ax=ax,
    )
    ax.tick_params(pad=6)  # room for the frames
    for column in (0, len(first) + 1):
        frame_tiles(ax, (column - 0.5, -0.5), 1, len(rows))
    return ax
