"""Grids and labelled rows of images.

Samples with an `image_shape` are drawn as grey images, where larger values are brighter. Samples that are not
images (`image_shape` None) are drawn as bar codes, with one bar per feature, brighter for larger values.
uint8 means pixels 0..255. Other values are drawn from black to white over `value_range`, by default [0, 1]
for images and the range of the given values for bar codes; values outside are clipped.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from npvae.data.scaling import as_floats
from npvae.view.draw.style import INK, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, axes_or_new, figure_or_new, set_title
from npvae.view.draw.tiles import ImageShape, ValueRange, draw_tiles


def draw_image_grid(
    images: np.ndarray,
    image_shape: ImageShape = None,
    *,
    n_columns: int | None = None,
    title: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw images row by row in a grid.

    Parameters
    ----------
    images : (n, D) array
    image_shape : (height, width) or None
    n_columns : int, optional
        By default about as many as rows, and one for bar codes.
    title : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no image, or `image_shape` does not fit.
    """
    if np.ndim(images) != 2 or len(images) == 0:
        raise ValueError(f"images must be (n, D) with n >= 1, but are {np.shape(images)}")
    if n_columns is None:
        n_columns = 1 if image_shape is None else int(np.ceil(np.sqrt(len(images))))
    n_rows = -(-len(images) // n_columns)
    images = as_floats(images)
    grid = np.full((n_rows * n_columns, images.shape[1]), np.nan, dtype=images.dtype)
    grid[: len(images)] = images
    ax = axes_or_new(ax, 6, 6.4)
    draw_tiles(ax, grid.reshape(n_rows, n_columns, -1), image_shape, value_range)
    set_title(ax, title)
    return ax


def draw_samples(
    samples: Mapping[str, np.ndarray],
    image_shape: ImageShape = None,
    *,
    value_range: ValueRange = None,
    figure: Figure | SubFigure | None = None,
) -> tuple[Axes, ...]:
    """Draw one grid of samples for each source.

    Parameters
    ----------
    samples : mapping from a source's name to (n, D) array
        The names become the titles.
    image_shape : (height, width) or None
    value_range : (float, float), optional
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        One for each source; up to four side by side, more in two rows.

    Raises
    ------
    ValueError
        As for `draw_image_grid`.
    """
    n_columns = len(samples) if len(samples) <= 4 else -(-len(samples) // 2)
    n_rows = -(-len(samples) // n_columns)
    title_lines = max(source.count("\n") + 1 for source in samples)
    figure = figure_or_new(figure, 3.8 * n_columns, (3.75 + 0.25 * title_lines) * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False, gridspec_kw={"wspace": 0.05}).ravel()
    for ax in panels[len(samples) :]:
        ax.remove()
    for ax, (source, images) in zip(panels, samples.items(), strict=False):
        draw_image_grid(images, image_shape, value_range=value_range, ax=ax)
        set_title(ax, source, size=TEXT_SIZE if n_columns <= 4 else TITLE_SIZE + 3)  # shown smaller
    return tuple(panels[: len(samples)])


def draw_image_rows(
    rows: Mapping[str, np.ndarray],
    image_shape: ImageShape = None,
    *,
    column_names: Sequence[str] = (),
    title: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw labelled rows of images, for example originals and their reconstructions.

    Parameters
    ----------
    rows : mapping from a row's name to (n, D) array
        All of the same shape.
    image_shape : (height, width) or None
    column_names : sequence of str
        Shown below the columns.
    title : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the rows differ in shape, or `image_shape` does not fit.
    """
    shapes = {np.shape(images) for images in rows.values()}
    if len(shapes) != 1:
        raise ValueError(f"all rows must have the same shape, but they have {sorted(shapes)}")
    stacked = np.stack([as_floats(images) for images in rows.values()])
    height, width = image_shape or (1, 1)
    names_width = 0.12 * max(map(len, rows))  # inches, approximately
    tile_height = (12.9 - names_width) / stacked.shape[1] * height / width
    margin = 0.1 + 0.4 * (title is not None) + 0.3 * bool(column_names)
    ax = axes_or_new(ax, 13, min(tile_height * len(rows) + margin, 7.3))
    draw_tiles(ax, stacked, image_shape, value_range)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=TEXT_SIZE, color=INK)
    ax.set_xticks(range(len(column_names)), column_names, fontsize=TICK_SIZE, color=INK)
    ax.tick_params(length=0)
    set_title(ax, title)
    return ax
