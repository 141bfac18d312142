"""A trace as a picture: the graph of the path, its arrows as wide as the gradients that flow back."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from npvae.study.trace_record import MOST_DIMENSIONS, Trace, signed
from npvae.view.draw.style import (
    INK,
    MODEL_COLOURS,
    TEXT_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    figure_or_new,
    halo,
    set_title,
)
from npvae.view.draw.tiles import ImageShape, draw_tiles

_RECONSTRUCTION, _KL, _BOTH = MODEL_COLOURS[3], MODEL_COLOURS[1], "#8a8b94"
_THINNEST, _WIDEST = 1.0, 15.0  # points
_BOX = (3.3, 0.7)
_PITCH, _UP = 3.3, 0.95  # distance of latent dimensions; of mu and log_var from their middle
_CODE_PITCH = 1.3
_MOST_DRAWN = 100  # latent dimensions: a figure of more would be higher than matplotlib can save
_NOTE = 0.55  # distance of a note from the middle of its box
# Columns of the graph.
_ENCODER, _HEADS, _KLS, _STD, _Z, _DECODER, _TERMS = 0.0, 4.6, 10.8, 14.9, 19.6, 24.4, 28.6


def draw_trace(
    trace: Trace,
    image_shape: ImageShape = None,
    *,
    show_all: bool = False,
    figure: Figure | SubFigure | None = None,
) -> tuple[Axes, ...]:
    """Draw the graph of the latent dimensions that matter most, at most four, or up to 100.

    Parameters
    ----------
    trace : Trace
        From `npvae.study.trace_image`.
    image_shape : (height, width) or None
        None leaves the images out.
    show_all : bool
        Draw up to 100 latent dimensions instead of four.
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        The graph; with `image_shape` the image before it, and its reconstruction after it.

    Notes
    -----
    Arrows point backwards, as gradients flow, and their width grows with the square root of |gradient|:
    orange from the reconstruction, blue from the KL, grey their sum. A node shows its value and its gradient.
    Below the gradient on an arrow stands the factor by which the gradient was multiplied there. A dashed
    line, marked x, carries no gradient. With `Trace.average`, the mean and the standard deviation of a
    gradient over draws of eps stand below mu and log_var.
    """
    dims = trace.most_important(_MOST_DRAWN if show_all else MOST_DIMENSIONS)
    pitch = _PITCH if trace.kind == "VAE" else _CODE_PITCH
    figure = figure_or_new(figure, 21, 1.9 + 0.75 * pitch * len(dims))
    if image_shape is None:
        graph = figure.subplots()
        panels: tuple[Axes, ...] = (graph,)
    else:
        left, graph, right = figure.subplots(1, 3, width_ratios=[1, 11, 1])
        for ax, image, title in ((left, trace.image, "image"), (right, trace.reconstructed, "decoded")):
            draw_tiles(ax, image[None, None], image_shape)
            set_title(ax, title, size=TEXT_SIZE)
        panels = (left, graph, right)
    largest = max(abs(node.gradient) for node in trace.nodes if node.width == trace.latent_dim) or 1.0
    drawing = _Drawing(graph, largest)
    middle = -pitch * (len(dims) - 1) / 2
    drawing.box("encoder", (_ENCODER, middle), "encoder", "")
    drawing.box("decoder", (_DECODER, middle), "decoder", "")
    drawing.box("reconstruction", (_TERMS, middle), "reconstruction", f"{trace.reconstruction:.3f} nats")
    for row, d in enumerate(dims):
        y = -pitch * row
        if trace.kind == "VAE":
            _draw_dimension(drawing, trace, d, y)
        else:
            code = trace.node("code", d)
            drawing.box(f"code {d}", (_STD, y), f"code {d} = {code.value:.3f}", f"{code.gradient:+.3f}")
            drawing.arrow("decoder", f"code {d}", code.gradient, _RECONSTRUCTION)
            drawing.arrow(f"code {d}", "encoder", code.gradient, _RECONSTRUCTION)
    drawing.arrow("reconstruction", "decoder", largest, _RECONSTRUCTION, label="")
    graph.set(xlim=(-1.8, _TERMS + 1.8), ylim=(-pitch * (len(dims) - 1) - 2.1, 1.5))
    graph.axis("off")
    title = f"{trace.kind}: loss {trace.loss:.3f} nats. Arrows: the gradient on its way back"
    if trace.average is not None:
        title += (
            f"; below mu and log_var its mean \u00b1 standard deviation over {trace.average.n:,} draws of eps"
        )
    set_title(graph, title, size=TEXT_SIZE + 1)
    handles = [Line2D([], [], color=_RECONSTRUCTION, linewidth=4, label="from the reconstruction")]
    if trace.kind == "VAE":
        handles.append(Line2D([], [], color=_KL, linewidth=4, label="from the KL"))
        handles.append(Line2D([], [], color=_BOTH, linewidth=4, label="both together"))
    graph.legend(handles=handles, loc="lower center", ncols=3, frameon=False, fontsize=TICK_SIZE)
    return panels


def _draw_dimension(drawing: "_Drawing", trace: Trace, d: int, y: float) -> None:
    mu, log_var, std, eps, z = (trace.node(name, d) for name in ("mu", "log_var", "std", "eps", "z"))
    kl = trace.beta * (mu.value**2 + np.expm1(log_var.value) - log_var.value) / 2
    beta = "" if trace.beta == 1 else f"{trace.beta:g} "
    places = {
        "mu": (_HEADS, y + _UP),
        "log_var": (_HEADS, y - _UP),
        "std": (_STD, y - _UP),
        "z": (_Z, y + _UP),
    }
    for node in (mu, log_var, std, z):
        drawing.box(
            f"{node.name} {d}",
            places[node.name],
            f"{node.name} {d} = {node.value:.3f}",
            signed(node.gradient),
        )
    drawing.box(f"kl {d}", (_KLS, y), f"{beta}KL {d}", f"{kl:.3f} nats")
    drawing.note(
        (_Z, y - _UP), f"eps {d} = {eps.value:.3f}" if trace.reparameterized else "drawn without eps"
    )
    if trace.average is not None:
        average = trace.average
        for name, mean, deviation in (
            ("mu", average.mu_mean, average.mu_std),
            ("log_var", average.log_var_mean, average.log_var_std),
        ):
            x, height = places[name]
            drawing.note((x, height - _NOTE), f"mean {signed(mean[d])} \u00b1 {deviation[d]:.3f}")
    cut = not trace.reparameterized
    drawing.arrow("decoder", f"z {d}", z.gradient, _RECONSTRUCTION)
    drawing.arrow(f"z {d}", f"mu {d}", mu.from_reconstruction, _RECONSTRUCTION, factor="x 1", cut=cut)
    drawing.arrow(f"z {d}", f"std {d}", std.from_reconstruction, _RECONSTRUCTION, factor="x eps", cut=cut)
    drawing.arrow(
        f"std {d}", f"log_var {d}", log_var.from_reconstruction, _RECONSTRUCTION, factor="x std / 2", cut=cut
    )
    drawing.arrow(f"kl {d}", f"mu {d}", mu.from_kl, _KL, factor=f"= {beta}mu")
    drawing.arrow(f"kl {d}", f"log_var {d}", log_var.from_kl, _KL, factor=f"= {beta}(std\u00b2 - 1) / 2")
    drawing.arrow(f"mu {d}", "encoder", mu.gradient, _BOTH, label="")
    drawing.arrow(f"log_var {d}", "encoder", log_var.gradient, _BOTH, label="")


class _Drawing:
    """Boxes by name, and arrows between them."""

    def __init__(self, ax: Axes, largest: float) -> None:
        self.ax, self.largest = ax, largest
        self.places: dict[str, tuple[float, float]] = {}

    def box(self, name: str, place: tuple[float, float], value: str, gradient: str) -> None:
        """Draw a node with its value and, below it, its gradient."""
        (x, y), (width, height) = place, _BOX
        self.places[name] = place
        self.ax.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.1",
                facecolor="white", edgecolor=INK, linewidth=1.2, zorder=4,
            )
        )  # fmt: skip
        text = f"{value}\n{gradient}" if gradient else value
        self.ax.text(x, y, text, ha="center", va="center", fontsize=TICK_SIZE, color=INK, zorder=5)

    def note(self, place: tuple[float, float], text: str) -> None:
        """Write a text."""
        self.ax.text(*place, text, ha="center", va="center", fontsize=TICK_SIZE, color=INK, zorder=5)

    def arrow(
        self,
        start: str,
        end: str,
        gradient: float,
        colour: str,
        *,
        cut: bool = False,
        label: str | None = None,
        factor: str = "",
    ) -> None:
        """Draw what flows from one box to another; a cut path is dashed, and nothing flows.

        The label is the gradient if none is given, and below it the factor.
        """
        (x0, y0), (x1, y1) = self.places[start], self.places[end]
        tail, tip = (x0 - _BOX[0] / 2, y0), (x1 + _BOX[0] / 2, y1)
        middle = (0.5 * (tail[0] + tip[0]), 0.5 * (tail[1] + tip[1]))
        if cut:
            self.ax.plot([tail[0], tip[0]], [tail[1], tip[1]], "--", color=colour, linewidth=1.2, zorder=2)
            self.ax.text(
                *middle, "x", ha="center", va="center", size=TITLE_SIZE, weight="bold", color=INK, zorder=6
            )
            return
        width = float(np.clip(_WIDEST * np.sqrt(abs(gradient) / self.largest), _THINNEST, _WIDEST))
        head = f"simple,tail_width={width},head_width={width + 9},head_length={9 + width / 2}"
        self.ax.add_patch(
            FancyArrowPatch(
                tail, tip, arrowstyle=head, mutation_scale=1, facecolor=colour, edgecolor="none",
                shrinkA=0, shrinkB=1, zorder=3,
            )
        )  # fmt: skip
        text = signed(gradient) if label is None else label
        self.ax.text(
            *middle, f"{text}\n{factor}" if factor else text, ha="center", va="center", size=TICK_SIZE,
            color=INK, path_effects=halo(3), zorder=6,
        )  # fmt: skip
