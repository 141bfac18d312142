"""Captions of a comparison's pictures, and alternative texts that state what the numbers say."""

from collections.abc import Callable

import numpy as np

from npvae.counted import counted
from npvae.study.comparison import Comparison
from npvae.study.experiment.cache import KINDS
from npvae.study.metrics.quality import frechet_field
from npvae.study.summary import contrast, percent, share_in_region
from npvae.study.walks.latent_point import nearest_code
from npvae.view.report.pictures import LECTURE_POINT

CAPTIONS = {
    "metrics": "Quality of samples and reconstructions over latent dimensions.",
    "latent": "Codes of the test images (of more than two dimensions, their two principal directions) and "
    "N(0, I): "
    "new samples are drawn where the crosses are.",
    "histograms": "Every latent dimension of the test images' z beside the density of N(0, 1), the line.",
    "samples": "Samples of every kind, not selected.",
    "reconstructions": "Test images and their reconstructions.",
    "interpolation": "From one test image to another on a straight line in latent space.",
    "plane-ae": "The AE's latent plane, decoded at quantiles of N(0, I).",
    "plane-vae": "The VAE's latent plane, decoded at quantiles of N(0, I).",
    "point": "An arbitrary point of the plane, and what each model decodes it to.",
    "loss": "Losses during training.",
}


def caption(name: str, latent_dim: int | None) -> str:
    """Return the caption of a picture, which names the latent dimension if there are several."""
    if latent_dim is None:
        return CAPTIONS[name]
    return f"{counted(latent_dim, 'latent dimension')}. {CAPTIONS[name]}"


def alternative(comparison: Comparison, name: str, latent_dim: int) -> str:
    """Return the finding that a picture shows, for those who cannot see it.

    Parameters
    ----------
    comparison : Comparison
    name : str
        A key of `CAPTIONS`.
    latent_dim : int
        Of the picture; not used for "metrics", which shows all.
    """
    return _FINDINGS[name](comparison, latent_dim)


def _metrics(comparison: Comparison, latent_dim: int) -> str:
    field = frechet_field(comparison.classifier_accuracy)
    texts = []
    for kind in KINDS:
        distances = [comparison.qualities(kind, d, "prior", field).mean() for d in comparison.latent_dims]
        texts.append(f"{kind} {', '.join(f'{distance:.3g}' for distance in distances)}")
    dims = ", ".join(map(str, comparison.latent_dims))
    return f"Fréchet distance of draws from N(0, I) with {dims} latent dimensions: {'; '.join(texts)}."


def _latent(comparison: Comparison, latent_dim: int) -> str:
    ae, vae = (share_in_region(comparison, kind, latent_dim) for kind in KINDS)
    return (
        f"{percent(ae)} of the AE's codes and {percent(vae)} of the VAE's lie in the region that holds 99 % "
        "of N(0, I)."
    )


def _histograms(comparison: Comparison, latent_dim: int) -> str:
    texts = []
    for kind in KINDS:
        std = comparison.figures(kind, latent_dim, "moments", "std")
        texts.append(f"{kind} {std.min():.2f} to {std.max():.2f}")
    return f"Standard deviations of z: {', '.join(texts)}; of N(0, 1): 1."


def _samples(comparison: Comparison, latent_dim: int) -> str:
    return f"Drawn from N(0, I), {contrast(comparison, latent_dim)}."


def _reconstructions(comparison: Comparison, latent_dim: int) -> str:
    errors = [
        comparison.figures(kind, latent_dim, "reconstruction", "squared_error").mean() for kind in KINDS
    ]
    return f"Squared error of reconstructions: AE {errors[0]:.3g}, VAE {errors[1]:.3g}."


def _interpolation(comparison: Comparison, latent_dim: int) -> str:
    return "Decoded points on the way from one test image's code to another's, for both models."


def _plane(kind: str) -> Callable[[Comparison, int], str]:
    def describe(comparison: Comparison, latent_dim: int) -> str:
        inside = share_in_region(comparison, kind, latent_dim)
        return (
            f"Decoded images over the part of the plane that holds N(0, I) and {percent(inside)} of the "
            f"{kind}'s codes."
        )

    return describe


def _point(comparison: Comparison, latent_dim: int) -> str:
    point = np.array(LECTURE_POINT)
    texts = []
    for kind in KINDS:
        _, distance = nearest_code(comparison.study(kind, latent_dim).codes, point)
        texts.append(f"{kind} {distance:.2f}")
    return f"Distance of the point ({point[0]:g}, {point[1]:g}) from the nearest code: {', '.join(texts)}."


def _loss(comparison: Comparison, latent_dim: int) -> str:
    texts = []
    for kind in KINDS:
        losses = comparison.study(kind, latent_dim).estimator.history_["loss"]
        texts.append(f"{kind} {losses[0]:.1f} to {losses[-1]:.1f}")
    return f"Training loss in nats per sample, first to last epoch: {', '.join(texts)}."


_FINDINGS: dict[str, Callable[[Comparison, int], str]] = {
    "metrics": _metrics,
    "latent": _latent,
    "histograms": _histograms,
    "samples": _samples,
    "reconstructions": _reconstructions,
    "interpolation": _interpolation,
    "plane-ae": _plane("AE"),
    "plane-vae": _plane("VAE"),
    "point": _point,
    "loss": _loss,
}
