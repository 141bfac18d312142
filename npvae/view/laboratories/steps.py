"""The laboratory of the four steps from an AE to a VAE."""

from matplotlib.figure import Figure

from npvae.study.laboratories.measuring import CasesLaboratory
from npvae.study.laboratories.steps import STEPS
from npvae.study.table import wrapped
from npvae.view.laboratories.models import cases_table, draw_cases

_CAPTIONS = ("z = code(x)", "z = μ + ε", "z = μ + ε, and μ² / 2", "z = μ + σ ε, and the KL")


def text(result: CasesLaboratory) -> str:
    """Return the table of the four models, and what it shows."""
    table = cases_table("From an AE to a VAE, two latent dimensions", result)
    return table.text() + "\n\n" + "\n".join(wrapped(line, "- ") for line in findings(result))


def findings(result: CasesLaboratory) -> list[str]:
    """Return a sentence about the numbers of each step."""
    plain, noise, pull, learned = (result.cases[name].figures for name in STEPS)
    return [
        f"1. The AE's codes spread to {plain.code_spread:.1f} times N(0, I): draws from N(0, I) are not what "
        f"it was trained with (Frechet distance {plain.frechet:.2f}).",
        f"2. With noise alone the codes move apart, to {noise.code_spread:.1f} times N(0, I), until the "
        f"noise hardly matters: reconstruction {noise.reconstruction:.1f} nats against "
        f"{plain.reconstruction:.1f} (Frechet distance {noise.frechet:.2f}).",
        f"3. With the pull they stay together ({pull.code_spread:.1f} times N(0, I)), but noise as wide as "
        f"the prior blurs the reconstruction: {pull.reconstruction:.1f} nats (Frechet distance "
        f"{pull.frechet:.2f}).",
        f"4. The VAE chooses sigma for each image, {learned.std:.2f} in the median: reconstruction "
        f"{learned.reconstruction:.1f} nats, codes at {learned.code_spread:.2f} times N(0, I), Frechet "
        f"distance {learned.frechet:.2f}.",
    ]


def draw(result: CasesLaboratory) -> Figure:
    """Draw codes, samples and losses of the four models."""
    return draw_cases(result, _CAPTIONS)
