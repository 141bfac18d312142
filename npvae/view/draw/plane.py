"""The decoded latent plane: images decoded on a grid of latent points."""

import numpy as np
from matplotlib.axes import Axes

from npvae.view.draw.style import INK, TEXT_SIZE, TICK_SIZE, axes_or_new, set_title
from npvae.view.draw.tiles import ImageShape, ValueRange, draw_tiles

_MOST_TICKS = 10


def draw_decoded_plane(
    images: np.ndarray,
    points: np.ndarray,
    image_shape: ImageShape = None,
    *,
    title: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the images decoded from a grid of latent points as one tiled picture.

    Parameters
    ----------
    images : (R, C, D) array
        From `npvae.study.decode_plane`: ``images[i, j]`` is decoded from ``points[i, j]``.
    points : (R, C, 2) array
        From `npvae.study.latent_plane`: z1 rises from column to column and z2 falls from row to row, so in
        the picture z1 points right and z2 up.
    image_shape : (height, width) or None
    title : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes
        The tile of ``images[i, j]`` is centred at x = j, y = i, with y downwards; tick labels give z1 and z2.

    Raises
    ------
    ValueError
        The shapes do not match, or the points are not such a grid.
    """
    if images.ndim != 3 or points.shape != (*images.shape[:2], 2):
        raise ValueError(f"images of shape {images.shape} need points of shape (R, C, 2), got {points.shape}")
    z1, z2 = points[0, :, 0], points[:, 0, 1]
    if np.any(np.diff(z1) <= 0) or np.any(np.diff(z2) >= 0) or not _is_grid(points, z1, z2):
        raise ValueError("points must be a grid: z1 must rise from column to column, z2 fall from row to row")
    ax = axes_or_new(ax, 8, 8.3)
    draw_tiles(ax, images, image_shape, value_range, black_gaps=True)
    columns, rows = _tick_indices(len(z1)), _tick_indices(len(z2))
    ax.set_xticks(columns, [f"{z:.1f}" for z in z1[columns]])
    ax.set_yticks(rows, [f"{z:.1f}" for z in z2[rows]])
    ax.tick_params(labelsize=TICK_SIZE)
    ax.set_xlabel("$z_1$", fontsize=TEXT_SIZE, color=INK)
    ax.set_ylabel("$z_2$", fontsize=TEXT_SIZE, color=INK)
    set_title(ax, title)
    return ax


def _is_grid(points: np.ndarray, z1: np.ndarray, z2: np.ndarray) -> bool:
    return np.array_equal(points, np.stack(np.meshgrid(z1, z2), axis=-1))


def _tick_indices(n: int) -> np.ndarray:
    """Return at most _MOST_TICKS evenly spaced indices below n, equally far from both ends."""
    step = -(-n // _MOST_TICKS)
    return np.arange(((n - 1) % step) // 2, n, step)
