"""Latent traversals: how each latent dimension changes an image."""

from matplotlib.axes import Axes

from npvae.study import Traversal
from npvae.view.draw.style import INK, TEXT_SIZE, set_title
from npvae.view.draw.tiles import CaptionedTiles, ImageShape, ValueRange

_SIZE = (11.0, 6.4)  # inches


def draw_traversal(
    traversal: Traversal,
    image_shape: ImageShape = None,
    *,
    activity_name: str = "activity",
    title: str | None = None,
    subtitle: str | None = None,
    value_range: ValueRange = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one row of images per dimension, with its values below; the centre is the framed column.

    Parameters
    ----------
    traversal : Traversal
        From `npvae.study.traverse`.
    image_shape : (height, width) or None
    activity_name : str
        Name of ``traversal.activity``, which is shown to the right of each row.
    title, subtitle : str, optional
    value_range : (float, float), optional
    ax : Axes, optional

    Returns
    -------
    Axes
        The tick labels are the rows' dimensions, counted from 1 like the axes z1 and z2 of a plane.

    Raises
    ------
    ValueError
        If `image_shape` does not fit.
    """
    captions = [[_number(value) for value in row] for row in traversal.values]
    tiles = CaptionedTiles(traversal.images, captions, image_shape, value_range, _SIZE, ax)
    tiles.frame_column(len(captions[0]) // 2)
    names = [f"$z_{{{d + 1}}}$" for d in traversal.dims]
    tiles.ax.set_yticks(tiles.middles, names, fontsize=TEXT_SIZE, color=INK)
    tiles.ax.tick_params(length=0)
    if traversal.activity is not None:
        for y, activity in zip(tiles.middles, traversal.activity, strict=True):
            tiles.ax.text(
                1.012, y, f"{activity_name}\n{activity:.2f}", transform=tiles.ax.get_yaxis_transform(),
                ha="left", va="center", fontsize=TEXT_SIZE, color=INK,
            )  # fmt: skip
    set_title(tiles.ax, title, subtitle)
    return tiles.ax


def _number(value: float) -> str:
    """Format a latent coordinate in at most five characters, unless it is very large."""
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 9.995 else f"{value:.1f}"  # + 0.0: no minus at 0
