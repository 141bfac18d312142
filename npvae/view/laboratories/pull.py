"""The laboratory of the pull: what noise and the KL term do alone and together."""

from matplotlib.figure import Figure

from npvae.study.laboratories.measuring import CasesLaboratory
from npvae.study.table import wrapped
from npvae.view.laboratories.models import cases_table, draw_cases


def text(result: CasesLaboratory) -> str:
    """Return the table of all models, and what it shows."""
    table = cases_table("VAEs with two latent dimensions", result)
    return table.text() + "\n\n" + "\n".join(wrapped(line, "- ") for line in findings(result))


def findings(result: CasesLaboratory) -> list[str]:
    """Return sentences about the numbers."""
    figures = {name: case.figures for name, case in result.cases.items()}
    best = min(figures, key=lambda name: figures[name].frechet)
    lines = [f"The best samples, by the Frechet distance, are those of {best} ({figures[best].frechet:.2f})."]
    if "noise, no KL" in figures:
        f = figures["noise, no KL"]
        lines.append(
            f"Noise without the KL term: sigma shrinks to {f.std:.1g} (median), and the codes spread to "
            f"{f.code_spread:.1f} times N(0, I). It ends as an AE."
        )
    f = figures["KL, no noise"]
    lines.append(
        f"The KL term without noise: the codes spread to {f.code_spread:.2f} times N(0, I), reconstruction "
        f"{f.reconstruction:.1f} nats, Frechet distance {f.frechet:.2f}."
    )
    collapsed = [name for name, f in figures.items() if f.active_units == 0]
    if collapsed:
        lines.append(f"With {', '.join(collapsed)} no latent dimension is used any more: posterior collapse.")
    return lines


def draw(result: CasesLaboratory) -> Figure:
    """Draw codes, samples and losses of all models."""
    captions = [f"σ = {case.figures.std:.2g}" for case in result.cases.values()]
    return draw_cases(result, captions)
