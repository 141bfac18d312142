"""One latent point, and the image that each model decodes from it.

An autoencoder's decoder is only trained at the codes of data. The distance from the point to the nearest code
shows how far it has to extrapolate.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from npvae.study import nearest_code
from npvae.view.draw.latent import draw_plane, picture_axes
from npvae.view.draw.style import INK, TEXT_SIZE, figure_or_new, set_title
from npvae.view.draw.tiles import ImageShape, ValueRange, draw_tiles


def draw_latent_point(
    point: npt.ArrayLike,
    images: Mapping[str, np.ndarray],
    codes: Mapping[str, np.ndarray],
    labels: npt.ArrayLike | None = None,
    image_shape: ImageShape = None,
    *,
    value_range: ValueRange = None,
    figure: Figure | SubFigure | None = None,
) -> tuple[Axes, ...]:
    """Draw each model's latent space with the point marked, and next to it the decoded image.

    Parameters
    ----------
    point : (Z,) array, Z >= 2
        For example (-2.5, 2).
    images : mapping from a model's name to (D,) array
        The image decoded from `point`.
    codes : mapping from the same names to (N, Z) array
        Drawn as in `draw_latent_codes`.
    labels : (N,) array, optional
        Classes of the codes.
    image_shape : (height, width) or None
    value_range : (float, float), optional
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        Latent space and image of the first model, then of the next.

    Raises
    ------
    ValueError
        `images` and `codes` name different models, or the shapes do not match.
    """
    if images.keys() != codes.keys():
        raise ValueError(f"images are of {list(images)}, but codes of {list(codes)}")
    point = np.asarray(point, dtype=np.float64)
    title = "decoded at the star"
    if len(point) == 2:
        title += f",\n({point[0]:g}, {point[1]:g})"
    figure = figure_or_new(figure, 7 * len(images), 4.9)
    panels = tuple(figure.subplots(1, 2 * len(images), width_ratios=[1.7, 1] * len(images)))
    for k, (name, image) in enumerate(images.items()):
        plane, picture = panels[2 * k : 2 * k + 2]
        index, distance = nearest_code(codes[name], point)
        draw_plane(plane, codes[name], labels, include=point)
        set_title(plane, name)
        _mark(plane, point, codes[name])
        draw_tiles(picture, np.asarray(image)[None, None], image_shape, value_range)
        owner = "" if labels is None else f"class {np.asarray(labels)[index]}, "
        set_title(picture, title, size=TEXT_SIZE)
        picture.set_xlabel(f"nearest code:\n{owner}{distance:.2f} away", fontsize=TEXT_SIZE, color=INK)
    return panels


def _mark(ax: Axes, point: np.ndarray, codes: np.ndarray) -> None:
    x, y = point @ picture_axes(codes)
    ax.scatter(x, y, marker="*", s=420, c="white", edgecolors=INK, linewidths=1.6, zorder=7)
