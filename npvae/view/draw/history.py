"""Loss curves: total, reconstruction and KL."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from scipy.optimize import isotonic_regression

from npvae.view.draw.style import (
    MODEL_COLOURS,
    TEXT_SIZE,
    TICK_SIZE,
    figure_or_new,
    halo,
    open_frame,
    set_title,
)

History = Mapping[str, Sequence[float]]
_PANELS = {"loss": "Total", "reconstruction": "Reconstruction", "kl": "KL divergence"}


def draw_history(
    histories: Mapping[str, History],
    *,
    validation_name: str = "validation",
    figure: Figure | SubFigure | None = None,
) -> tuple[Axes, ...]:
    """Draw the loss and its two terms by epoch, for one or several models.

    Parameters
    ----------
    histories : mapping from a model's name to its ``history_``
        Lists with an entry for each epoch, in nats per sample: "loss", "reconstruction", "kl" (VAE only), and
        "validation_loss" where there is one (dashed).
    validation_name : str
        Name of the data of "validation_loss".
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        Total and reconstruction, and KL if a model has it.

    Notes
    -----
    Each line is labelled at its end with the model's name and last value. Values that are not finite are
    omitted.
    """
    names = [name for name in _PANELS if name != "kl" or any("kl" in h for h in histories.values())]
    figure = figure_or_new(figure, 4.6 * len(names), 5)
    panels = tuple(figure.subplots(1, len(names), squeeze=False)[0])
    for ax, name in zip(panels, names, strict=True):
        _draw_panel(ax, name, histories, validation_name)
    panels[0].set_ylabel("nats per sample", fontsize=TEXT_SIZE)
    return panels


def _draw_panel(ax: Axes, name: str, histories: Mapping[str, History], validation_name: str) -> None:
    ends = []
    for k, (model, history) in enumerate(histories.items()):
        colour = MODEL_COLOURS[k % len(MODEL_COLOURS)]
        lines = [(model, history.get(name, ()), "-")]
        if name == "loss":
            lines.append((f"{model} {validation_name}", history.get("validation_loss", ()), "--"))
        for label, values, style in lines:
            if len(values):
                ends.append(_draw_line(ax, label, np.asarray(values, dtype=np.float64), colour, style))
    open_frame(ax)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    ax.set_xlabel("epoch", fontsize=TEXT_SIZE)
    set_title(ax, _PANELS[name])
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.autoscale_view()
    if name == "kl":
        ax.set_ylim(bottom=0)
    _label_ends(ax, [end for end in ends if end is not None])


def _draw_line(
    ax: Axes, label: str, values: np.ndarray, colour: str, style: str
) -> tuple[str, float, float, str] | None:
    """Draw one line; return its label, the position of its end, and its colour."""
    epochs = np.arange(1, len(values) + 1)
    known = np.isfinite(values)
    marker = "o" if len(values) == 1 else ""
    ax.plot(epochs[known], values[known], style, color=colour, linewidth=2, marker=marker, label=label)
    return (label, epochs[known][-1], values[known][-1], colour) if known.any() else None


def _label_ends(ax: Axes, ends: list[tuple[str, float, float, str]]) -> None:
    """Write each line's name and last value to the right of its end, without overlaps."""
    if not ends:
        ax.text(0.5, 0.5, "no complete epoch", transform=ax.transAxes, ha="center", fontsize=TEXT_SIZE)
        return
    ends = sorted(ends, key=lambda end: end[2])
    pixels_a_point = ax.figure.dpi / 72
    heights = ax.transData.transform([(x, y) for _, x, y, _ in ends])[:, 1] / pixels_a_point
    for (label, x, y, colour), place, height in zip(
        ends, _spread(heights, 1.5 * TICK_SIZE), heights, strict=True
    ):
        ax.annotate(
            f"{label} {y:.1f}", (x, y), (8, place - height), textcoords="offset points", va="center",
            fontsize=TICK_SIZE, weight="bold", color=colour, path_effects=halo(), annotation_clip=False,
        )  # fmt: skip


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Move ascending heights to be at least `gap` apart, with the least squared change.

    Examples
    --------
    >>> _spread(np.array([0.0, 1.0, 9.0]), 3.0)
    array([-1.,  2.,  9.])
    """
    steps = gap * np.arange(len(heights))
    return isotonic_regression(heights - steps).x + steps
