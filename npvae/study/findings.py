"""What the numbers of a comparison say, a sentence each; made from the numbers, whatever they are."""

import numpy as np

from npvae.study.comparison import Comparison
from npvae.study.metrics.quality import frechet_field
from npvae.study.sampling.samplers import SAMPLERS

_FITTED = ("diagonal", "full", "mixture")
_SMALL_P = 0.05
_NEAR_CAP = 0.5  # nats


def comparison_findings(comparison: Comparison) -> list[str]:
    """Return what the comparison shows, with means over the seeds.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of str
        Sentences, each about every latent dimension.
    """
    sentences = [
        _prior(comparison),
        _codes(comparison),
        _fitted(comparison),
        _normality(comparison),
        _reconstruction(comparison),
        _controls(comparison),
    ]
    return [*sentences, *_warnings(comparison)]


def _warnings(comparison: Comparison) -> list[str]:
    """Return each warning once, with the models that it is about unless these are all."""
    about: dict[str, list[str]] = {}
    for cell, study in comparison.studies.items():
        for warning in study.figures["warnings"]:
            about.setdefault(warning, []).append(cell.name)
    n = len(comparison.studies)
    return [w if len(names) == n else f"{', '.join(names)}: {w}" for w, names in about.items()]


def _each(comparison: Comparison, lead: str, texts: list[str]) -> str:
    """Put a text for each latent dimension below its lead; of one alone it goes without saying."""
    if len(texts) == 1:
        return f"{lead} {texts[0]}."
    named = [f"D = {d}: {text}" for d, text in zip(comparison.latent_dims, texts, strict=True)]
    return "\n".join([lead, *named])


def _mean(comparison: Comparison, kind: str, latent_dim: int, way: str, field: str) -> float:
    return float(comparison.qualities(kind, latent_dim, way, field).mean())


def _prior(comparison: Comparison) -> str:
    field = frechet_field(comparison.classifier_accuracy)
    texts = []
    for latent_dim in comparison.latent_dims:
        ae, vae = (_mean(comparison, kind, latent_dim, "prior", field) for kind in ("AE", "VAE"))
        covered = [_mean(comparison, kind, latent_dim, "prior", "pixel_coverage") for kind in ("VAE", "AE")]
        texts.append(f"{_times(ae, vae)}; they cover {covered[0]:.0%} of it, the AE's {covered[1]:.0%}")
    return _each(comparison, "Drawn from N(0, I), the VAE's samples are", texts)


def _times(other: float, own: float) -> str:
    """Say how much smaller a distance from the data `own` is than another."""
    if own <= 0 or other <= 0 or f"{max(own / other, other / own):.1f}" == "1.0":
        return "at the same Frechet distance from real data as the AE's"
    if other > own:
        return f"at a Frechet distance from real data {other / own:.1f} times smaller than the AE's"
    return f"at a Frechet distance from real data {own / other:.1f} times larger than the AE's"


def _codes(comparison: Comparison) -> str:
    texts = []
    for latent_dim in comparison.latent_dims:
        parts = []
        for kind in ("AE", "VAE"):
            norm = comparison.figures(kind, latent_dim, "moments", "mean_norm").mean()
            std = comparison.figures(kind, latent_dim, "moments", "std")
            least, most = f"{std.min():.2f}", f"{std.max():.2f}"
            parts.append(f"{norm:.1f} and {least if least == most else f'{least} to {most}'}")
        texts.append(f"{parts[0]} for the AE, {parts[1]} for the VAE")
    lead = "Distance of the mean of z from the origin, and standard deviations (N(0, I): 0 and 1):"
    return _each(comparison, lead, texts)


def _fitted(comparison: Comparison) -> str:
    field = frechet_field(comparison.classifier_accuracy)
    texts = []
    for latent_dim in comparison.latent_dims:
        distances = {way: _mean(comparison, "AE", latent_dim, way, field) for way in _FITTED}
        best = min(distances, key=distances.__getitem__)
        fitted = distances[best]
        ae, vae = (_mean(comparison, kind, latent_dim, "prior", field) for kind in ("AE", "VAE"))
        verdict = "better" if fitted < vae else "not better"
        texts.append(
            f"{_number(fitted)} with a {SAMPLERS[best].label}, {_number(ae)} with N(0, I), the VAE's with "
            f"N(0, I) {_number(vae)}: {verdict} than the VAE's prior"
        )
    lead = (
        "With a distribution fitted to the AE's codes after the training, the best of three, the distance is"
    )
    return _each(comparison, lead, texts)


def _normality(comparison: Comparison) -> str:
    texts = []
    for latent_dim in comparison.latent_dims:
        p_values = comparison.figures("VAE", latent_dim, "normality", "energy", "p_value")
        accuracy = comparison.figures("VAE", latent_dim, "normality", "classifier", "accuracy").mean()
        texts.append(
            f"the VAE's z {_differ(p_values)}; a classifier is right in {accuracy:.0%}; KL(q(z) || N(0, I)) "
            f"{_bracket(comparison, latent_dim)} nats)"
        )
    return _each(comparison, "As a distribution, not by its moments alone, against N(0, I):", texts)


def _differ(p_values: np.ndarray) -> str:
    """Say whether the energy test found a difference, with one seed or with how many of several."""
    n_found = int(np.sum(p_values <= _SMALL_P))
    difference = "differ from it" if n_found else "were not found to differ from it"
    if len(p_values) == 1:
        return f"{difference} (p = {p_values[0]:.2f}"
    return f"{difference} (p at most {_SMALL_P} with {n_found} of {len(p_values)} seeds"


def _bracket(comparison: Comparison, latent_dim: int) -> str:
    least, most, information, cap = (
        comparison.figures("VAE", latent_dim, "posterior", *path).mean()
        for path in [
            ("aggregate_kl", "lower", "value"),
            ("aggregate_kl", "upper", "value"),
            ("mutual_information", "value"),
            ("most_information",),
        ]
    )
    if information > cap - _NEAR_CAP:  # the upper end is then the mean KL less ln N
        return f"at least {least:.1f} and, of so few images, not known to be below {most:.1f}"
    return f"between {least:.1f} and {most:.1f}"


def _reconstruction(comparison: Comparison) -> str:
    dims = comparison.latent_dims
    errors = {
        kind: [
            comparison.figures(kind, latent_dim, "reconstruction", "squared_error").mean()
            for latent_dim in dims
        ]
        for kind in ("AE", "VAE")
    }
    texts = {kind: ", ".join(_number(error) for error in values) for kind, values in errors.items()}
    at = f" at D = {', '.join(map(str, dims))}" if len(dims) > 1 else ""
    active = ", ".join(
        f"{comparison.figures('VAE', d, 'posterior', 'n_active').mean():.0f} of {d}" for d in dims
    )
    return (
        f"Squared error of reconstructed test samples{at}: AE {texts['AE']}, VAE {texts['VAE']}; of the "
        f"VAE's latent units {active} are active."
    )


def _controls(comparison: Comparison) -> str:
    real = comparison.controls["shuffled halves"]
    within = abs(real.two_sample_accuracy - 0.5) <= 4 * real.two_sample_error
    verdict = "as it should" if within else "which it should not: the figures are not to be trusted"
    return (
        f"Two halves of the test samples are told apart with an accuracy of {real.two_sample_accuracy:.3f} "
        f"(1/2 within 4 standard errors of {real.two_sample_error:.3f}: {'yes' if within else 'no'}), "
        f"{verdict}; one covers {real.pixel_coverage:.0%} of the other."
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
