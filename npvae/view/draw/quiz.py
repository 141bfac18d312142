"""Slides for a question of the quiz: the code, and what training with it does."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from npvae.view.draw.images import draw_image_grid
from npvae.view.draw.style import INK, MODEL_COLOURS, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, new_figure, open_frame
from npvae.view.draw.tiles import ImageShape

_SIZE = (13.33, 7.5)  # inches, of a slide
_LETTERS = 105  # of a line across the slide
_OUTSIDE = 0.35  # how far above the first curve a panel reaches, as a part of that curve's range


def draw_question(title: str, setting: str, code: str, options: Sequence[str]) -> Figure:
    """Draw a question: what to know, the code, possible answers.

    Parameters
    ----------
    title, setting, code : str
    options : sequence of str
        They get the letters a, b, c, ...

    Returns
    -------
    Figure
    """
    figure = new_figure(*_SIZE)
    y = _write(figure, 0.95, title, size=TITLE_SIZE + 3, weight="bold", width=80)
    y = _write(figure, y - 0.02, setting, size=TEXT_SIZE, width=_LETTERS)
    n_lines = code.count("\n") + 1
    room = y - 0.04 - 0.048 * sum(len(textwrap.wrap(option, _LETTERS - 3)) for option in options) - 0.05
    size = min(TITLE_SIZE + 1, room * _SIZE[1] * 72 / n_lines / 1.35, 12.4 * 72 / 0.62 / _longest(code))
    figure.text(0.05, y - 0.03, code, family="monospace", size=size, color=INK, va="top", linespacing=1.3)
    y -= 0.06 + n_lines * size * 1.35 / 72 / _SIZE[1]
    for letter, option in zip("abcdefgh", options, strict=False):
        y = _write(figure, y, f"{letter})  {option}", size=TEXT_SIZE, width=_LETTERS) - 0.008
    return figure


def draw_answer(
    title: str,
    caption: str,
    curves: Mapping[str, tuple[np.ndarray, bool]],
    samples: Mapping[str, np.ndarray],
    image_shape: ImageShape,
) -> Figure:
    """Draw what training does: the losses of right and wrong code, their samples, a caption below.

    Parameters
    ----------
    title, caption : str
    curves : mapping from a label to (values, measured)
        Of each epoch, in nats per image; those that are not measured are dashed.
    samples : mapping from a label to (n, D) array
    image_shape : (height, width) or None

    Returns
    -------
    Figure
    """
    lines = textwrap.wrap(caption, _LETTERS + 22)
    figure = new_figure(*_SIZE)
    figure.set_layout_engine("none")
    figure.text(0.04, 0.95, title, size=TITLE_SIZE + 1, weight="bold", color=INK, va="top")
    bottom = 0.05 + 0.0365 * len(lines)
    figure.text(
        0.04, bottom - 0.02, "\n".join(lines), size=TICK_SIZE + 1, color=INK, va="top", linespacing=1.35
    )
    low, high = bottom + 0.1, 0.86
    _draw_curves(figure.add_axes((0.075, low, 0.38, high - low)), curves)
    width = 0.49 / len(samples)
    for k, (label, images) in enumerate(samples.items()):
        ax = figure.add_axes((0.5 + k * width, low - 0.06, width * 0.94, high - low + 0.06))
        draw_image_grid(images, image_shape, ax=ax)
        ax.set_anchor("N")
        ax.set_title(f"Samples: {label}", fontsize=TEXT_SIZE, color=INK)
    return figure


def _draw_curves(ax: Axes, curves: Mapping[str, tuple[np.ndarray, bool]]) -> None:
    """Draw the curves; one that leaves for far away is cut, its label says where it ends."""
    first = next(iter(curves.values()))[0]
    low = min(float(values.min()) for values, _ in curves.values())
    near = [float(v.max()) for v, _ in curves.values() if v.max() - low < 10 * np.ptp(first)]
    high = max(near, default=float(first.max()))
    margin = 0.06 * (high - low)
    ax.set_ylim(low - margin, high + (_OUTSIDE * np.ptp(first) if len(near) < len(curves) else margin))
    for k, (label, (values, measured)) in enumerate(curves.items()):
        epochs = np.arange(1, len(values) + 1)
        cut = values[-1] > ax.get_ylim()[1]
        name = f"{label}: {_compact(values[-1])}" + (", far above" if cut else "")
        style = "-" if measured else "--"
        # A later curve that lies on an earlier one leaves it visible.
        ax.plot(
            epochs,
            values,
            style,
            color=MODEL_COLOURS[(1, 0, 3, 1)[k]],
            linewidth=4 if k == 0 else 2,
            label=name,
        )
    ax.legend(fontsize=TICK_SIZE, frameon=False, loc="best", title="ends at")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set_xlabel("epoch", fontsize=TEXT_SIZE)
    ax.set_ylabel("loss, nats per image", fontsize=TEXT_SIZE)
    open_frame(ax)


def _compact(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 1e4 else f"{value:.1e}"


def _longest(code: str) -> int:
    return max(map(len, code.splitlines()))


def _write(figure: Figure, y: float, text: str, *, size: float, width: int, weight: str = "normal") -> float:
    """Write wrapped text with its top at y; return where it ends."""
    lines = textwrap.wrap(text, width)
    figure.text(0.05, y, "\n".join(lines), size=size, weight=weight, color=INK, va="top", linespacing=1.3)
    return y - len(lines) * size * 1.4 / 72 / _SIZE[1]
