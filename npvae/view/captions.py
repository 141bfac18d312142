"""Tiles with a line of text below each, and frames around what a picture starts from."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from npvae.view.style import INK, MODEL_COLOURS, TICK_SIZE, axes_or_new
from npvae.view.tiles import ImageShape, ValueRange, as_floats, draw_tiles

_BAR_ROWS = 12  # of pixels in a bar code, which says nothing of its height in the picture
_BAR_ASPECT = 0.35  # height by width of a bar code in the picture
_STRIP_INCHES, _CAPTION_INCHES = 0.26, 0.55  # height and width that a caption needs


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
        height, width = image_shape or (_BAR_ROWS, n_features)
        if height * width != n_features * (1 if image_shape else _BAR_ROWS):
            raise ValueError(f"an image of {height} x {width} pixels does not have {n_features} features")
        aspect = height / width if image_shape else _BAR_ASPECT
        tile_width = min(size[0] / n_columns, (size[1] / n_rows - _STRIP_INCHES) / aspect)
        tile_width = max(tile_width, _CAPTION_INCHES)
        strip = max(round(_STRIP_INCHES / (tile_width * aspect) * height), 1)
        if value_range is None:
            value_range = (0.0, 1.0) if image_shape else (float(images.min()), float(images.max()))
        if image_shape is None:
            images = np.tile(images, (1, 1, _BAR_ROWS))
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
