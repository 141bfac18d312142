"""Class names, written at the classes' points in a scatter plot."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from npvae.view.draw.style import CLASS_COLOURS, literal

_ROUNDS = 60


def draw_class_names(ax: Axes, points: np.ndarray, classes: np.ndarray, members: np.ndarray) -> None:
    """Write each class name at the median of its points, moved so that names do not overlap.

    Parameters
    ----------
    ax : Axes
        Its limits must be final.
    points : (N, 2) array
    classes : (K,) array
        Names.
    members : (N,) array of int
        Index of every point's class.
    """
    names = [str(name) for name in classes]
    size = 14.0 if max(map(len, names)) <= 2 else 12.0
    medians = np.array([np.median(points[members == k], axis=0) for k in range(len(classes))])
    pixels_a_point = ax.figure.dpi / 72
    extents = np.array([[0.75 * len(name) + 0.65, 1.6] for name in names]) * size * pixels_a_point
    pixels = move_apart(ax.transData.transform(medians), extents)
    for k, (x, y) in enumerate(ax.transData.inverted().transform(pixels)):
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        ax.text(
            x, y, literal(names[k]), size=size, weight="bold", color=readable_on(colour), zorder=5,
            ha="center", va="center_baseline",
            bbox={"boxstyle": "round,pad=0.25,rounding_size=0.6", "facecolor": colour, "edgecolor": "white"},
        )  # fmt: skip


def readable_on(colour: str) -> str:
    """Return black or white, whichever has more contrast with `colour` (WCAG 2's relative luminance)."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def move_apart(centres: np.ndarray, extents: np.ndarray) -> np.ndarray:
    """Move boxes by small steps until they no longer overlap.

    Parameters
    ----------
    centres, extents : (K, 2) arrays
        Centres of the boxes, and their widths and heights.

    Returns
    -------
    moved : (K, 2) array
        New centres. As the number of rounds is limited, boxes without room may still overlap.

    Examples
    --------
    >>> move_apart(np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]]), np.full((3, 2), 2.0)).round(3)
    array([[-0.5,  0. ],
           [ 1.5,  0. ],
           [ 9. ,  0. ]])
    """
    moved = centres.astype(np.float64)
    for _ in range(_ROUNDS):
        for i in range(len(moved)):
            for j in range(i):
                gap = moved[i] - moved[j]
                overlap = (extents[i] + extents[j]) / 2 - np.abs(gap)
                if np.all(overlap > 1e-9):
                    axis = int(np.argmin(overlap))
                    step = np.copysign(overlap[axis] / 2, gap[axis])
                    moved[i, axis] += step
                    moved[j, axis] -= step
    return moved
