"""Many images drawn as one: grids, rows and planes of tiles, with captions and frames."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from npvae.data.scaling import as_floats
from npvae.view.draw.style import INK, MODEL_COLOURS, TICK_SIZE, axes_or_new

ImageShape = tuple[int, int] | None
ValueRange = tuple[float, float] | None

_BAR_HEIGHT = 8  # pixels, for rows that are no images
_GAP = 1  # pixels between tiles
_CAPTIONED_BAR_HEIGHT = 12  # of pixels in a bar code, which says nothing of its height in the picture
_CAPTIONED_BAR_ASPECT = 0.35  # height by width of a bar code in the picture
_STRIP_INCHES, _CAPTION_INCHES = 0.26, 0.55  # height and width that a caption needs


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


class CaptionedTiles:
    """A grid of images in which each has a caption below it.

    Parameters
    ----------
    images : (R, C, D) array
        uint8 pixels are divided by 255.
    captions : R sequences of C str
        "" for none.
    image_shape : (height, width) or None
        None draws bar codes.
    value_range : (float, float), optional
        As for `draw_tiles`.
    size : (float, float)
        Inches, width and height, that the grid may have unless captions need more; images keep their aspect.
    ax : Axes, optional
        Without it a new figure's is made, with room for labels at the sides and a title.

    Attributes
    ----------
    ax : Axes
        The tile of ``images[r, c]``, with its caption, is centred at x = c, y = r, y downwards.
    image_part : float
        How much of a tile's height is the image.

    Raises
    ------
    ValueError
        If `image_shape` does not fit.
    """

    def __init__(
        self,
        images: np.ndarray,
        captions: Sequence[Sequence[str]],
        image_shape: ImageShape,
        value_range: ValueRange,
        size: tuple[float, float],
        ax: Axes | None,
    ) -> None:
        images = as_floats(images)
        n_rows, n_columns, n_features = images.shape
        height, width = image_shape or (_CAPTIONED_BAR_HEIGHT, n_features)
        if height * width != n_features * (1 if image_shape else _CAPTIONED_BAR_HEIGHT):
            raise ValueError(f"an image of {height} x {width} pixels does not have {n_features} features")
        aspect = height / width if image_shape else _CAPTIONED_BAR_ASPECT
        tile_width = min(size[0] / n_columns, (size[1] / n_rows - _STRIP_INCHES) / aspect)
        tile_width = max(tile_width, _CAPTION_INCHES)
        strip = max(round(_STRIP_INCHES / (tile_width * aspect) * height), 1)
        if value_range is None:
            value_range = (0.0, 1.0) if image_shape else (float(images.min()), float(images.max()))
        if image_shape is None:
            images = np.tile(images, (1, 1, _CAPTIONED_BAR_HEIGHT))
        white = np.full((n_rows, n_columns, strip * width), np.nan, dtype=images.dtype)
        self.ax = axes_or_new(
            ax,
            max(tile_width * n_columns + 1.8, 7.5),
            (tile_width * aspect + _STRIP_INCHES) * n_rows + 0.95,
        )
        draw_tiles(self.ax, np.concatenate([images, white], axis=2), (height + strip, width), value_range)
        if image_shape is None:
            self.ax.set_aspect("auto")
        self.image_part = (height + 1) / (height + strip + 1)
        below = (height + strip / 2 + 0.5) / (height + strip + 1) - 0.5  # the middle of the white
        for row, line in enumerate(captions):
            for column, caption in enumerate(line):
                self.ax.text(
                    column, row + below, caption,
                    ha="center", va="center", fontsize=TICK_SIZE, color=INK,
                )  # fmt: skip

    @property
    def middles(self) -> np.ndarray:
        """Where the middle of each row's images is, (R,)."""
        bottom, top = self.ax.get_ylim()
        return np.arange(round(bottom - top)) - (1 - self.image_part) / 2

    def frame_row(self, row: int) -> None:
        """Frame one row's images."""
        left, right = self.ax.get_xlim()
        frame_tiles(self.ax, (-0.5, row - 0.5), round(right - left), self.image_part)

    def frame_column(self, column: int) -> None:
        """Frame one column with its captions."""
        bottom, top = self.ax.get_ylim()
        frame_tiles(self.ax, (column - 0.5, -0.5), 1, round(bottom - top))


def frame_tiles(ax: Axes, corner: tuple[float, float], width: float, height: float) -> None:
    """Draw a frame from a corner, the upper left (x, y), in units of tiles as `draw_tiles` places them."""
    ax.add_patch(
        Rectangle(
            corner, width, height,
            fill=False, edgecolor=MODEL_COLOURS[0], linewidth=3, zorder=5, clip_on=False,
        )
    )  # fmt: skip


def _finite_range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
