"""Codes in latent space, with the density that one would like to sample from.

The codes of a model are points in the plane, coloured by class and named at the class's median, together
with N(0, I): circles at 1, 2 and 3 standard deviations, and samples of it. Where the samples
miss the codes, the decoder is asked about points that it has never seen.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from npvae.view.draw.class_names import draw_class_names
from npvae.view.draw.style import (
    CLASS_COLOURS,
    INK,
    MODEL_COLOURS,
    TEXT_SIZE,
    TICK_SIZE,
    axes_or_new,
    figure_or_new,
    halo,
    literal,
    open_frame,
    set_title,
)

RADII = (1, 2, 3)
_MOST_HISTOGRAMS = 100
MOST_CLASSES = 20  # labels with more values than this are not drawn as classes


def draw_latent_codes(
    codes: np.ndarray,
    labels: npt.ArrayLike | None = None,
    samples: np.ndarray | None = None,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Scatter the codes of one model over the contours of N(0, I).

    Parameters
    ----------
    codes : (N, Z) array
        Z = 2: drawn as they are. Z > 2: their first two principal components, about the origin, where N(0, I)
        has the same contours (see `picture_axes`); the axes say so. Z = 1: a histogram.
    labels : (N,) array, optional
        Classes of up to 20 names; without them, and with more, all points have one colour.
    samples : (M, Z) array, optional
        Draws from N(0, I), marked by crosses.
    title, subtitle : str, optional
    ax : Axes, optional
        Without it, a new figure's, with a legend of circles and crosses below.

    Returns
    -------
    Axes
        Its first collection holds the codes, its second, if any, the samples; its patches are the circles.

    Raises
    ------
    ValueError
        Shapes contradict each other.
    """
    _check(codes, labels, samples)
    own = ax is None
    ax = axes_or_new(ax, 8, 8.7)
    if codes.shape[1] == 1:
        _draw_histogram(ax, codes, samples)
    else:
        draw_plane(ax, codes, labels, samples)
    set_title(ax, title, subtitle)
    if own:
        _draw_legend(ax.figure, codes.shape[1], samples is not None)
    return ax


def draw_latent_comparison(
    codes: Mapping[str, np.ndarray],
    labels: npt.ArrayLike | None = None,
    samples: np.ndarray | None = None,
    *,
    figure: Figure | SubFigure | None = None,
) -> tuple[Axes, ...]:
    """Draw the codes of several models side by side, each to its own scale.

    Parameters
    ----------
    codes : mapping from a model's name to (N, Z) array
        Codes of the same N data points.
    labels, samples
        As for `draw_latent_codes`; the same for all models.
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        One for each model.

    Notes
    -----
    The circles are the same N(0, I) in each panel: where they are small, the codes lie far outside of it.
    """
    figure = figure_or_new(figure, 6.5 * len(codes), 7.6)
    panels = tuple(figure.subplots(1, len(codes), squeeze=False)[0])
    for ax, (name, model_codes) in zip(panels, codes.items(), strict=True):
        subtitle = describe_spread(model_codes)
        draw_latent_codes(model_codes, labels, samples, title=name, subtitle=subtitle, ax=ax)
    _draw_legend(figure, next(iter(codes.values())).shape[1], samples is not None)
    return panels


def draw_latent_histograms(
    z: Mapping[str, np.ndarray], *, figure: Figure | SubFigure | None = None
) -> tuple[Axes, ...]:
    """Draw a histogram of every latent dimension over the density of N(0, 1).

    Parameters
    ----------
    z : mapping from a model's name to (N, Z) array
        The codes of an AE; for a VAE a draw from each q(z | x), as `npvae.study.draw_codes` returns them. Of
        more than 100 dimensions the first 100 are drawn.
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        For each model one for every dimension. Its first line is the density of N(0, 1).

    Notes
    -----
    All dimensions of a model have the same scale, which leaves out the 0.5 % of its values that are farthest
    from 0. A VAE dimension that follows N(0, 1) may be one that the VAE does not use: see its KL.
    """
    n_dims = min(next(iter(z.values())).shape[1], _MOST_HISTOGRAMS)
    n_columns = min(n_dims, 10)
    n_rows = -(-n_dims // n_columns)
    figure = figure_or_new(figure, max(1.55 * n_columns, 9), (1.6 * n_rows + 0.5) * len(z))
    grid = figure.subplots(len(z) * n_rows, n_columns, squeeze=False)
    drawn = []
    for m, (name, codes) in enumerate(z.items()):
        rows = grid[m * n_rows : (m + 1) * n_rows].ravel()
        reach = max(4.0, float(np.quantile(np.abs(codes), 0.995)))
        for k, ax in enumerate(rows):
            if k >= n_dims:
                ax.remove()
                continue
            colour = MODEL_COLOURS[m % len(MODEL_COLOURS)]
            ax.hist(codes[:, k], bins=25, range=(-reach, reach), density=True, color=colour, alpha=0.75)
            u = np.linspace(-reach, reach, 401)
            ax.plot(u, np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi), color=INK, linewidth=1.2)
            ax.set(xlim=(-reach, reach), ylim=(0, 0.6), yticks=[])
            ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            open_frame(ax)
            ax.spines["left"].set_visible(False)
            ax.tick_params(labelsize=TICK_SIZE - 2)
            title = f"$z_{{{k + 1}}}$" if k else f"{name}: $z_1$"
            set_title(ax, title, size=TEXT_SIZE - 1)
            drawn.append(ax)
    handles = [Line2D([], [], color=INK, label="density of N(0, 1)")]
    figure.legend(handles=handles, loc="outside lower center", frameon=False, fontsize=TICK_SIZE)
    return tuple(drawn)


def describe_spread(codes: np.ndarray) -> str:
    """Say which share of the codes (N, Z), as drawn, lies within 3 standard deviations of N(0, I).

    Examples
    --------
    >>> describe_spread(np.array([[0.0, 0.0], [0.0, 2.9], [-9.0, 1.0]]))
    '67 % of the codes are in the outer circle; of N(0, I), 98.9 %'
    """
    if codes.shape[1] == 1:
        share, where, normal = np.mean(np.abs(codes) <= RADII[-1]), "between -3 and 3", 0.9973
    else:
        distances = np.linalg.norm(codes @ picture_axes(codes), axis=1)
        share, where, normal = np.mean(distances <= RADII[-1]), "in the outer circle", 0.9889
    return f"{100 * share:.0f} % of the codes are {where}; of N(0, I), {100 * normal:.1f} %"


def picture_axes(codes: np.ndarray) -> np.ndarray:
    """Return two orthonormal directions of latent space that show the codes.

    Parameters
    ----------
    codes : (N, Z) array, Z >= 2

    Returns
    -------
    axes : (Z, 2) array
        For Z = 2 the latent axes themselves; otherwise the two principal directions of the codes, the
        one with the larger variance first.

    Raises
    ------
    ValueError
        If `codes` is not (N, Z) with N >= 1 and Z >= 2.

    Notes
    -----
    ``codes @ axes`` are coordinates about the origin, not about the codes' mean. If z ~ N(0, I) and the
    columns of A are orthonormal, then A^T z has covariance A^T I A = I: the shadow of N(0, I) on these
    axes is N(0, I) again, and the same circles are its contours in every picture.

    Examples
    --------
    >>> picture_axes(np.array([[0.0, 0.0, 9.0], [0.0, 1.0, 0.0], [0.0, 0.0, -9.0]])).round(6) + 0
    array([[0., 0.],
           [0., 1.],
           [1., 0.]])
    """
    if codes.ndim != 2 or len(codes) == 0 or codes.shape[1] < 2:
        raise ValueError(f"codes must be (N, Z) with N >= 1 and Z >= 2, but are {codes.shape}")
    if codes.shape[1] == 2:
        return np.eye(2)
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, :-3:-1]
    largest = axes[np.argmax(np.abs(axes), axis=0), [0, 1]]
    return axes * np.sign(largest)  # an eigenvector's sign is arbitrary: pictures are to be compared


def _check(codes: np.ndarray, labels: npt.ArrayLike | None, samples: np.ndarray | None) -> None:
    if codes.ndim != 2 or codes.size == 0:
        raise ValueError(f"codes must be (N, Z) with N, Z >= 1, but are {codes.shape}")
    if labels is not None and np.shape(labels) != (len(codes),):
        raise ValueError(f"there are {len(codes)} codes, but labels have shape {np.shape(labels)}")
    if samples is not None and (samples.ndim != 2 or samples.shape[1] != codes.shape[1]):
        raise ValueError(f"samples must be (M, {codes.shape[1]}) as the codes are, but are {samples.shape}")


def draw_plane(
    ax: Axes,
    codes: np.ndarray,
    labels: npt.ArrayLike | None = None,
    samples: np.ndarray | None = None,
    include: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    names: bool = True,
) -> None:
    """Draw codes (N, Z >= 2) as `draw_latent_codes` does.

    Limits include a point (Z,) too; `axes` (Z, 2) replaces `picture_axes` of the codes. Without `names`,
    classes have colours only: see `class_handles`.
    """
    axes = picture_axes(codes) if axes is None else axes
    points = codes @ axes
    classes, members = np.unique(np.zeros(len(points)) if labels is None else labels, return_inverse=True)
    named = labels is not None and len(classes) <= MOST_CLASSES
    colours = np.array(CLASS_COLOURS)[members % len(CLASS_COLOURS)] if named else CLASS_COLOURS[0]
    size = float(np.clip(3e4 / len(points), 4, 24))
    ax.scatter(points[:, 0], points[:, 1], c=colours, s=size, alpha=0.65, linewidths=0, zorder=2)
    for radius in RADII:
        ax.add_patch(Circle((0, 0), radius, fill=False, edgecolor=INK, linewidth=1.4, zorder=3))
    shown = [points]
    if samples is not None:
        x, y = (samples @ axes).T
        ax.scatter(x, y, c=INK, marker="x", s=26, linewidths=1.3, zorder=4, path_effects=halo(2))
        shown.append(samples @ axes)
    if include is not None:
        shown.append(include[None] @ axes)
    _set_square_limits(ax, np.concatenate(shown))
    _name_axes(ax, codes.shape[1])
    open_frame(ax)
    if named and names:
        draw_class_names(ax, points, classes, members)


def class_handles(labels: npt.ArrayLike | None) -> list[Line2D]:
    """Return a legend's handles for the colours that `draw_plane` gives the classes; none if it gives one."""
    classes = np.unique([] if labels is None else labels)
    return [
        Line2D(
            [], [], linestyle="", marker="o", markersize=9,
            color=CLASS_COLOURS[k % len(CLASS_COLOURS)], label=literal(str(name)),
        )
        for k, name in enumerate(classes if len(classes) <= MOST_CLASSES else [])
    ]  # fmt: skip


def square_around(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the middle (2,) and half the side of a square with points (N, 2) and the outer circle in it."""
    low = np.minimum(points.min(axis=0), -RADII[-1])
    high = np.maximum(points.max(axis=0), RADII[-1])
    return (low + high) / 2, float(0.53 * np.max(high - low))


def _set_square_limits(ax: Axes, points: np.ndarray) -> None:
    (x, y), half = square_around(points)
    ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    ax.set_aspect("equal", adjustable="box")


def _draw_histogram(ax: Axes, codes: np.ndarray, samples: np.ndarray | None) -> None:
    ax.hist(codes[:, 0], bins=60, density=True, color=CLASS_COLOURS[0], alpha=0.65)
    z = np.linspace(-4, 4, 201)
    ax.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color=INK, linewidth=1.4)
    if samples is not None:
        ax.scatter(samples[:, 0], np.zeros(len(samples)), c=INK, marker="x", s=30, zorder=4, clip_on=False)
    open_frame(ax)
    ax.set_xlabel("z", fontsize=TEXT_SIZE)
    ax.set_ylabel("density of the codes", fontsize=TEXT_SIZE)


def _name_axes(ax: Axes, width: int) -> None:
    names = ["$z_1$", "$z_2$"] if width == 2 else [f"principal component {i} of {width}" for i in (1, 2)]
    ax.set_xlabel(names[0], fontsize=TEXT_SIZE, color=INK)
    ax.set_ylabel(names[1], fontsize=TEXT_SIZE, color=INK)


def _draw_legend(figure: Figure | SubFigure, width: int, with_samples: bool) -> None:
    normal = (
        Line2D([], [], color=INK, label="density of N(0, 1)")
        if width == 1
        else Line2D(
            [], [], linestyle="", marker="o", markersize=14, markerfacecolor="none", markeredgecolor=INK,
            label="N(0, I): 1, 2 and 3 standard deviations",
        )
    )  # fmt: skip
    cross = Line2D(
        [], [], linestyle="", marker="x", markersize=7, markeredgewidth=1.4, color=INK,
        label=f"samples of N(0, {1 if width == 1 else 'I'})",
    )  # fmt: skip
    handles = [normal, cross] if with_samples else [normal]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=TEXT_SIZE)
