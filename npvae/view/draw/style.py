"""Shared style of all pictures: colours, text sizes, titles, frames, new figures."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import AbstractPathEffect, withStroke

# petroff10 (Petroff 2021, arXiv:2107.02270): ten colours for all kinds of colour vision.
CLASS_COLOURS: Final = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
MODEL_COLOURS: Final = ("#bd1f01", "#3f90da", "#832db6", "#e76300")  # dark enough for lines on white
INK: Final = "#222222"

TITLE_SIZE: Final = 17  # points, on figures about as wide as a slide (12 inches)
TEXT_SIZE: Final = 14
TICK_SIZE: Final = 12


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, with constrained layout, outside of pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of this size in inches."""
    return ax if ax is not None else new_figure(width, height).add_subplot()


def figure_or_new(figure: Figure | SubFigure | None, width: float, height: float) -> Figure | SubFigure:
    """Return `figure`, or a new one of this size in inches."""
    return figure if figure is not None else new_figure(width, height)


def halo(width: float = 3.0) -> list[AbstractPathEffect]:
    """Return a path effect that draws a white outline, so that text is legible on top of points."""
    return [withStroke(linewidth=width, foreground="white")]


def literal(text: str) -> str:
    """Return a text of the data's, a class name say, as Matplotlib shows it as it is: $ begins no formula."""
    return text.replace("$", r"\$")


def set_title(ax: Axes, title: str | None, subtitle: str | None = None, size: float = TITLE_SIZE) -> None:
    """Write a title, and a subtitle in smaller type below it; without a title, nothing."""
    if title is None:
        return
    ax.set_title(title, fontsize=size, color=INK, pad=6 if subtitle is None else 12 + 1.2 * TEXT_SIZE)
    if subtitle is not None:
        line = ax.annotate(
            subtitle, (0.5, 1), (0, 6), xycoords="axes fraction", textcoords="offset points",
            ha="center", va="bottom", fontsize=TEXT_SIZE, color=INK, annotation_clip=False,
        )  # fmt: skip
        line.set_in_layout(False)  # the title's padding keeps its place


def open_frame(ax: Axes) -> None:
    """Remove the frame's top and right sides, which have no ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=TICK_SIZE)
