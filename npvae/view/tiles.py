"""Many images as one: the tiled image that grids, rows and planes are drawn from."""

import numpy as np
from matplotlib.axes import Axes

ImageShape = tuple[int, int] | None
ValueRange = tuple[float, float] | None

_BAR_HEIGHT = 8  # pixels, for rows that are no images
_GAP = 1  # pixels between tiles


def tile_images(images: np.ndarray, image_shape: ImageShape, gap_value: float = np.nan) -> np.ndarray:
    """Put images together as one, with a pixel between neighbours.

    Parameters
    ----------
    images : (R, C, D) array, float
        Row by row, from the top left.
    image_shape : (height, width) or None
        With height * width = D. None: every tile is D vertical bars, 8 pixels high.
    gap_value : float
        Value of the pixels between the tiles.

    Returns
    -------
    tiled : (R * (height + 1) - 1, C * (width + 1) - 1) array

    Raises
    ------
    ValueError
        If an image of that shape does not have D pixels.

    Examples
    --------
    >>> tile_images(np.arange(8.0).reshape(1, 2, 4), (2, 2), gap_value=-1)
    array([[ 0.,  1., -1.,  4.,  5.],
           [ 2.,  3., -1.,  6.,  7.]])
    """
    n_rows, n_columns, n_features = images.shape
    if image_shape is None:
        images = np.tile(images, (1, 1, _BAR_HEIGHT))
    height, width = image_shape or (_BAR_HEIGHT, n_features)
    if height * width != images.shape[2]:
        raise ValueError(f"an image of {height} x {width} pixels does not have {n_features} features")
    tiles = np.full((n_rows, height + _GAP, n_columns, width + _GAP), gap_value, dtype=images.dtype)
    tiles[:, :height, :, :width] = images.reshape(n_rows, n_columns, height, width).swapaxes(1, 2)
    return tiles.reshape(n_rows * (height + _GAP), -1)[:-_GAP, :-_GAP]


def draw_tiles(
    ax: Axes,
    images: np.ndarray,
    image_shape: ImageShape,
    value_range: ValueRange = None,
    *,
    black_gaps: bool = False,
) -> Axes:
    """Draw images as one tiled image, without ticks; tile (r, c) is centred at x = c, y = r, y downwards.

    Parameters
    ----------
    ax : Axes
    images : (R, C, D) array
        uint8 pixels are divided by 255. Tiles of NaN stay white.
    image_shape : (height, width) or None
        None draws bar codes.
    value_range : (float, float), optional
        What is drawn black and what white; values outside are clipped. Without it [0, 1] for images, and
        the range of the finite values for bar codes.
    black_gaps : bool
        Leave black rather than white between the tiles.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `image_shape` does not fit.
    """
    images = as_floats(images)
    low, high = value_range or ((0, 1) if image_shape is not None else _finite_range(images))
    tiled = tile_images(images, image_shape, low if black_gaps else np.nan)
    n_rows, n_columns, n_features = images.shape
    height, width = image_shape or (_BAR_HEIGHT, n_features)
    right, bottom = (
        n_columns - 0.5,
        n_rows - 0.5,
    )  # of a grid of unit squares, each a tile and half of the gaps around
    x, y = _GAP / (width + _GAP) / 2, _GAP / (height + _GAP) / 2
    ax.imshow(
        tiled,
        cmap="gray",
        vmin=low,
        vmax=high,
        origin="upper",
        extent=(-0.5 + x, right - x, bottom - y, -0.5 + y),
        interpolation="antialiased",
        aspect="auto" if image_shape is None else (height + _GAP) / (width + _GAP),
    )
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])
    return ax


def as_floats(images: np.ndarray) -> np.ndarray:
    """Return images as floats; uint8 means pixels, 0..255, and is scaled to [0, 1]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return np.divide(images, 255, dtype=np.float32)
    return images.astype(np.result_type(images, np.float32), copy=False)


def _finite_range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
