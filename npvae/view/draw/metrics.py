"""Sample quality and reconstruction error of each model, by latent dimension."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from npvae.study.comparison import Comparison
from npvae.study.metrics.quality import frechet_field
from npvae.view.draw.style import (
    INK,
    MODEL_COLOURS,
    TEXT_SIZE,
    TICK_SIZE,
    figure_or_new,
    open_frame,
    set_title,
)

LineStyle = Literal["-", "--", ":", "-."]
COLOURS: dict[str, str] = {"AE": MODEL_COLOURS[0], "VAE": MODEL_COLOURS[1]}
STYLES: dict[str, LineStyle] = {"prior": "-", "full": "--", "mixture": ":", "reconstructions": "-."}
_LABELS = {
    "prior": "z ~ N(0, I)",
    "full": "full Gaussian fitted",
    "mixture": "mixture of 10 fitted",
    "reconstructions": "reconstructions",
}


@dataclass(frozen=True)
class _Panel:
    field: str  # of SampleQuality
    title: str
    logarithmic: bool = False


def draw_metrics(comparison: Comparison, *, figure: Figure | SubFigure | None = None) -> tuple[Axes, ...]:
    """Draw sample quality and reconstruction error by latent dimension.

    Parameters
    ----------
    comparison : Comparison
        With several latent dimensions.
    figure : Figure or SubFigure, optional

    Returns
    -------
    tuple of Axes
        Fréchet distance, pixel coverage, two-sample accuracy, reconstruction error.

    Notes
    -----
    Lines are means over the seeds, and error bars span the range over the seeds. The thin grey line is the
    value of training images in place of samples.
    """
    figure = figure_or_new(figure, 16, 10.5)
    panels = tuple(figure.subplots(2, 2).ravel())
    frechet = frechet_field(comparison.classifier_accuracy)
    features = "classifier features" if frechet == "frechet_classifier" else "principal components"
    quality_panels = (
        _Panel(frechet, f"Frechet distance in {features}: lower is better", True),
        _Panel("pixel_coverage", "coverage of test images, in pixels: higher is better"),
        _Panel("two_sample_accuracy", "classifier accuracy, samples vs test images: 1/2 is best"),
    )
    for ax, panel in zip(panels, quality_panels, strict=False):
        _draw_quality(ax, comparison, panel)
    _draw_reconstruction(panels[3], comparison)
    for ax in panels:
        dims = comparison.latent_dims
        ax.set_xticks(range(len(dims)), [str(latent_dim) for latent_dim in dims])
        ax.set_xlim(-0.2, len(dims) - 0.8)
        ax.set_xlabel("latent dimensions", fontsize=TEXT_SIZE)
        open_frame(ax)
    _draw_legend(figure)
    return panels


def _draw_quality(ax: Axes, comparison: Comparison, panel: _Panel) -> None:
    for kind, colour in COLOURS.items():
        for way, style in STYLES.items():
            values = [comparison.qualities(kind, d, way, panel.field) for d in comparison.latent_dims]
            _draw_line(ax, values, colour, style)
    real = getattr(comparison.controls["training images"], panel.field)
    ax.axhline(real, color="#999999", linewidth=1)
    if panel.logarithmic:
        ax.set_yscale("log")
    else:
        ax.set_ylim(0.45 if panel.field == "two_sample_accuracy" else 0, 1.02)
    set_title(ax, panel.title, size=TEXT_SIZE)


def _draw_reconstruction(ax: Axes, comparison: Comparison) -> None:
    for kind, colour in COLOURS.items():
        values = [
            comparison.figures(kind, d, "reconstruction", "squared_error") for d in comparison.latent_dims
        ]
        _draw_line(ax, values, colour, "-")
    ax.set_ylim(bottom=0)
    set_title(ax, "squared error of reconstructed test images: lower is better", size=TEXT_SIZE)


def _draw_line(ax: Axes, values: list[np.ndarray], colour: str, style: LineStyle) -> None:
    means = np.array([of_seeds.mean() for of_seeds in values])
    # Rounding may put the mean of equal numbers outside their range, and error bars must not be negative.
    below = np.maximum(means - [of_seeds.min() for of_seeds in values], 0)
    above = np.maximum([of_seeds.max() for of_seeds in values] - means, 0)
    ax.errorbar(
        range(len(values)), means, [below, above], color=colour, linestyle=style, linewidth=2.2, marker="o",
        markersize=5, capsize=3, elinewidth=1.2,
    )  # fmt: skip


def _draw_legend(figure: Figure | SubFigure) -> None:
    models = [Line2D([], [], color=colour, linewidth=3, label=kind) for kind, colour in COLOURS.items()]
    ways = [
        Line2D([], [], color=INK, linestyle=style, linewidth=2, label=_LABELS[way])
        for way, style in STYLES.items()
    ]
    real = Line2D([], [], color="#999999", linewidth=1, label="training images in place of samples")
    handles = [*models, *ways, real]
    figure.legend(handles=handles, loc="outside lower center", ncols=7, frameon=False, fontsize=TICK_SIZE)
