"""Samples and the training images nearest to them."""

import numpy as np
from matplotlib.axes import Axes

from npvae.data.scaling import as_floats
from npvae.view.draw.style import INK, TEXT_SIZE, set_title
from npvae.view.draw.tiles import CaptionedTiles, ImageShape, ValueRange

_SIZE = (11.5, 6.3)  # inches
_ORDINALS = {1: "nearest", 2: "2nd", 3: "3rd"}


def draw_nearest(
    samples: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    image_shape: ImageShape = None,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw samples in a framed row, and below each one its nearest training images with their distances.

    Parameters
    ----------
    samples : (n, D) array
    neighbours : (n, k, D) array
        The images whose rows `npvae.study.nearest_images` returns, nearest first.
    distances : (n, k) array
    image_shape : (height, width) or None
    title, subtitle : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes
        Column i belongs to sample i. Row 0 contains the samples, row j the j-th nearest images.

    Raises
    ------
    ValueError
        The shapes do not match, or `image_shape` does not fit.
    """
    n, k = np.shape(distances)
    if np.shape(neighbours)[:2] != (n, k) or np.shape(samples) != (n, *np.shape(neighbours)[2:]):
        raise ValueError(
            f"distances of shape {(n, k)} need neighbours of shape ({n}, {k}, D) and samples of shape ({n}, "
            f"D), got {np.shape(neighbours)} and {np.shape(samples)}"
        )
    images = np.concatenate([as_floats(samples)[None], as_floats(neighbours).swapaxes(0, 1)])
    captions = [[""] * n, *([f"{distance:.2f}" for distance in row] for row in distances.T)]
    tiles = CaptionedTiles(images, captions, image_shape, value_range, _SIZE, ax)
    names = ["sample", *(_ORDINALS.get(j, f"{j}th") for j in range(1, k + 1))]
    tiles.ax.set_yticks(tiles.middles, names, fontsize=TEXT_SIZE, color=INK)
    tiles.ax.tick_params(length=0)
    tiles.frame_row(0)
    set_title(tiles.ax, title, subtitle)
    return tiles.ax
