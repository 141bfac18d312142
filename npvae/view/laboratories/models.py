"""A table of trained models, and a picture with codes and samples of each above their losses."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from npvae.study.laboratories.measuring import CasesLaboratory
from npvae.study.table import Table
from npvae.view.draw.images import draw_image_grid
from npvae.view.draw.latent import class_handles, draw_plane
from npvae.view.draw.style import CLASS_COLOURS, TEXT_SIZE, TICK_SIZE, new_figure, open_frame, set_title

_COLUMNS = (
    "recon-\nstruction",
    "KL",
    "sigma,\nmedian",
    "spread\nof codes",
    "active\nunits",
    "Frechet\ndistance",
)
_LEGEND = "codes of test images, by class; circles: 1, 2 and 3 standard deviations of N(0, I)"
_NOTE = "\n".join(
    (
        "On test images:",
        "Reconstruction: mean of -ln p(x | z) at the posterior mean, in nats.",
        "KL: mean KL divergence of q(z | x) from N(0, I), in nats.",
        "Sigma: standard deviation of q(z | x).",
        "Spread of codes: their root mean square about the mean, per dimension; 1 for N(0, I).",
        "Active units: latent dimensions whose posterior mean depends on x (variance above 0.01).",
        "Frechet distance: between decoded draws from N(0, I) and training images, comparing the means and "
        "covariances of their principal components. Lower is better; ",
    )
)


def cases_table(title: str, result: CasesLaboratory) -> Table:
    """Return a row for each model."""
    rows = []
    for name, case in result.cases.items():
        f = case.figures
        rows.append(
            (
                name,
                f"{f.reconstruction:.2f}",
                "-" if np.isnan(f.kl) else f"{f.kl:.2f}",
                f"{f.std:.3f}",
                f"{f.code_spread:.2f}",
                f"{f.active_units}",
                f"{f.frechet:.2f}",
            )
        )
    return Table(title, ("model", *_COLUMNS), rows, _NOTE + f"test images have {result.control:.2f}.")


def draw_cases(result: CasesLaboratory, captions: Sequence[str]) -> Figure:
    """Draw codes over N(0, I) and samples of each model in a column, and all losses below.

    Parameters
    ----------
    result : CasesLaboratory
    captions : sequence of str
        A line for each model, below its name.

    Returns
    -------
    Figure
    """
    cases, labels = result.cases, result.labels
    n = len(cases)
    figure = new_figure(max(3.1 * n, 14), 10.6)
    grid = figure.add_gridspec(3, 6 * n, height_ratios=[1.15, 1, 0.95])
    for i, ((name, case), caption) in enumerate(zip(cases.items(), captions, strict=True)):
        ax = figure.add_subplot(grid[0, 6 * i : 6 * (i + 1)])
        draw_plane(ax, case.codes, labels, names=False)  # names moved apart would look like clusters
        ax.set(xlabel="", ylabel="")
        set_title(ax, name, caption, TEXT_SIZE + 1)
        ax = figure.add_subplot(grid[1, 6 * i : 6 * (i + 1)])
        draw_image_grid(case.samples, result.image_shape, ax=ax)
        ax.set_xlabel(f"samples: Fréchet {case.figures.frechet:.2f}", fontsize=TICK_SIZE)
    colours = [CLASS_COLOURS[i] for i in (2, 1, 0, 4, 8, 6)]
    parts = {"reconstruction": "reconstruction", "kl": "KL divergence"}
    for column, (part, title) in enumerate(parts.items()):
        ax = figure.add_subplot(grid[2, 3 * n * column : 3 * n * (column + 1)])
        for (name, case), colour in zip(cases.items(), colours, strict=False):
            if part in case.history:
                values = case.history[part]
                ax.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=2, label=name)
        if part == "kl":
            ax.set_yscale("log")
            ax.set_ylim(bottom=max(1e-3, ax.get_ylim()[0]))
        ax.set_xlabel("epoch", fontsize=TEXT_SIZE)
        set_title(ax, f"{title} in training, nats per image", size=TEXT_SIZE + 1)
        open_frame(ax)
        if part == "reconstruction":  # the colours are the same in both
            ax.legend(fontsize=TICK_SIZE, frameon=False, ncols=2)
    handles = class_handles(labels)
    if handles:
        figure.legend(
            handles=handles, loc="outside upper center", ncols=len(handles), frameon=False,
            fontsize=TEXT_SIZE, title=_LEGEND,
            title_fontsize=TEXT_SIZE, handletextpad=0.1, columnspacing=1.2,
        )  # fmt: skip
    return figure
