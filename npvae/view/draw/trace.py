"""A trace as a picture: the graph of the path, its arrows as wide as the gradients that flow back."""

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from npvae.persistence import write_text_atomically
from npvae.study.trace_record import Trace, step_text
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

MOST_DIMENSIONS = 4
_RECONSTRUCTION, _KL, _BOTH = MODEL_COLOURS[3], MODEL_COLOURS[1], "#8a8b94"
_THINNEST, _WIDEST = 1.0, 15.0  # points
_BOX = (2.05, 0.66)
_PITCH, _UP = 2.6, 0.72  # distance of latent dimensions; of mu and log_var from their middle
# Columns of the graph.
_ENCODER, _HEADS, _KLS, _STD, _Z, _DECODER, _TERMS = 0.0, 2.9, 5.9, 8.3, 11.0, 13.7, 16.4


def draw_trace(
    trace: Trace, image_shape: ImageShape = None, *, figure: Figure | SubFigure | None = None
) -> tuple[Axes, ...]:
    """Draw the graph of the latent dimensions that matter most, at most four.

    Parameters
    ----------
    trace : Trace
        From `npvae.study.trace_image`.
    image_shape : (height, width) or None
        None leaves the images out.
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        The graph; with `image_shape` the image before it, and its reconstruction after it.

    Notes
    -----
    Arrows point backwards, as gradients flow, and their width grows with the square root of |gradient|:
    orange from the reconstruction, blue from the KL, grey their sum. A node shows its value and its gradient.
    A dashed line, marked x, carries no gradient.
    """
    dims = trace.most_important(MOST_DIMENSIONS)
    figure = figure_or_new(figure, 17, 1.6 + (2.3 if trace.kind == "VAE" else 1.2) * len(dims))
    if image_shape is None:
        graph = figure.subplots()
        panels: tuple[Axes, ...] = (graph,)
    else:
        left, graph, right = figure.subplots(1, 3, width_ratios=[1, 9, 1])
        for ax, image, title in ((left, trace.image, "image"), (right, trace.reconstructed, "decoded")):
            draw_tiles(ax, image[None, None], image_shape)
            set_title(ax, title, size=TEXT_SIZE)
        panels = (left, graph, right)
    largest = max(abs(node.gradient) for node in trace.nodes if node.width == trace.latent_dim) or 1.0
    drawing = _Drawing(graph, largest)
    pitch = _PITCH if trace.kind == "VAE" else _PITCH / 2
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
    graph.set(xlim=(-1.1, _TERMS + 1.1), ylim=(-pitch * (len(dims) - 1) - 1.7, 1.3))
    graph.axis("off")
    title = f"{trace.kind}: loss {trace.loss:.3f} nats. Arrows: the gradient on its way back"
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
    drawing.box(f"mu {d}", (_HEADS, y + _UP), f"mu {d} = {mu.value:.3f}", f"{mu.gradient:+.3f}")
    drawing.box(
        f"log_var {d}", (_HEADS, y - _UP), f"log_var {d} = {log_var.value:.3f}", f"{log_var.gradient:+.3f}"
    )
    drawing.box(
        f"kl {d}", (_KLS, y), f"{'' if trace.beta == 1 else f'{trace.beta:g} * '}KL {d}", f"{kl:.3f} nats"
    )
    drawing.box(f"std {d}", (_STD, y - _UP), f"std {d} = {std.value:.3f}", f"{std.gradient:+.3f}")
    drawing.box(f"z {d}", (_Z, y), f"z {d} = {z.value:.3f}", f"{z.gradient:+.3f}")
    drawing.note(
        (_Z, y - _UP), f"eps {d} = {eps.value:.3f}" if trace.reparameterized else "drawn, without eps"
    )
    drawing.arrow("decoder", f"z {d}", z.gradient, _RECONSTRUCTION)
    cut = not trace.reparameterized
    drawing.arrow(f"z {d}", f"mu {d}", mu.from_reconstruction, _RECONSTRUCTION, cut=cut)
    drawing.arrow(f"z {d}", f"std {d}", std.from_reconstruction, _RECONSTRUCTION, cut=cut)
    drawing.arrow(f"std {d}", f"log_var {d}", log_var.from_reconstruction, _RECONSTRUCTION, cut=cut)
    drawing.arrow(f"kl {d}", f"mu {d}", mu.from_kl, _KL)
    drawing.arrow(f"kl {d}", f"log_var {d}", log_var.from_kl, _KL)
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
    ) -> None:
        """Draw what flows from one box to another; a cut path is dashed, and nothing flows."""
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
        self.ax.text(
            *middle, f"{gradient:+.3f}" if label is None else label, ha="center", va="center", size=TICK_SIZE,
            color=INK, path_effects=halo(3), zorder=6,
        )  # fmt: skip


def write_trace_page(trace: Trace, image_shape: ImageShape, path: Path) -> None:
    """Write a picture of a trace and its tables as one HTML file."""
    file = io.BytesIO()
    figure = draw_trace(trace, image_shape)[0].figure.get_figure(root=True)
    assert figure is not None, "a new figure"
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    picture = base64.b64encode(file.getvalue()).decode("ascii")
    parts: Mapping[str, str] = {
        "title": f"The path of one image through a {trace.kind}",
        "alternative": f"The graph of the path. {step_text(trace.step)}",
    }
    style = (
        "body{font:17px/1.5 system-ui,sans-serif;max-width:1080px;margin:1rem auto;padding:0 1rem;"
        "background:#fff;color:#1c1c20}img{max-width:100%;height:auto}table{border-collapse:collapse}"
        "th,td{padding:.15rem .6rem;text-align:right}th:first-child{text-align:left}"
        "caption{text-align:left;font-weight:600}.wide{overflow-x:auto}.note{color:#55565e}"
    )
    write_text_atomically(
        path,
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(parts['title'])}</title><style>{style}</style></head>\n<body><main>"
        f"<h1>{html.escape(parts['title'])}</h1>\n"
        f'<img src="data:image/png;base64,{picture}" alt="{html.escape(parts["alternative"])}">\n'
        f"{trace._repr_html_()}</main></body></html>\n",
    )
