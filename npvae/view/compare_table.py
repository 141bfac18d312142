"""A comparison of AE and VAE as a table for the terminal, and as plain numbers."""

import textwrap
from typing import Any

import numpy as np

from npvae.study.compare import Comparison, ModelStudy, Samples
from npvae.study.quality import SampleQuality


def compare_table(comparison: Comparison) -> str:
    """Return the comparison as text of at most 100 columns, with what it shows in a sentence each.

    Parameters
    ----------
    comparison : Comparison
        From `npvae.study.compare.compare`.

    Returns
    -------
    str
    """
    data, ae, vae = comparison.data, comparison.ae, comparison.vae
    codes = [
        ("z: distance of its mean from 0", 0, lambda study: study.moments.mean_norm),
        ("z: smallest standard deviation", 1, lambda study: study.moments.std.min()),
        ("z: largest standard deviation", 1, lambda study: study.moments.std.max()),
        ("z: smallest eigenvalue of its covariance", 1, lambda study: study.moments.eigenvalues[-1]),
        ("z: largest eigenvalue of its covariance", 1, lambda study: study.moments.eigenvalues[0]),
        ("reconstruction: squared error", None, lambda study: study.reconstruction.squared_error),
        (
            f"reconstruction: -ln p(x | code), {ae.estimator.likelihood}, nats",
            None,
            lambda study: study.reconstruction.negative_log_likelihood,
        ),
        ("KL(q(z | x) || N(0, I)), nats", None, lambda study: study.kl),
    ]
    lines = [
        f"AE and VAE on {data.name}: {len(data.X_train)} training and {len(data.X_test)} test samples",
        f"network {_network(ae)}, {ae.estimator.n_iter_} and {vae.estimator.n_iter_} epochs",
        "",
        f"{'Test samples':<52}{'AE':>12}{'VAE':>12}{'N(0, I)':>12}",
        *(f"{label:<52}{_cell(of(ae))}{_cell(of(vae))}{_cell(wanted, 'g')}" for label, wanted, of in codes),
        f"{'minus ELBO, nats':<52}{_cell(None)}{_cell(vae.test_loss)}",
        "",
        f"{'Samples':<40}{'Frechet distance':>24}{'coverage':>12}",
        f"{'':<40}{'(lower is better)':>24}{'(higher)':>12}",
        _quality("training images in place of samples", comparison.real),
        *(_quality(_source(study, s), s.quality) for study in (ae, vae) for s in study.samples.values()),
        f"({comparison.n_compared} of each, against as many test samples; Frechet distance in principal",
        " components, coverage in the space of the data)",
        "",
        *(line for finding in findings(comparison) for line in textwrap.wrap(finding, 100)),
    ]
    return "\n".join(line.rstrip() for line in lines)


def findings(comparison: Comparison) -> list[str]:
    """Return what the numbers say, a sentence each; made from the numbers, whatever they are.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of str
    """
    ae, vae = comparison.ae, comparison.vae
    ae_prior, vae_prior = ae.samples["prior"].quality, vae.samples["prior"].quality
    ratio = ae_prior.frechet / vae_prior.frechet
    if f"{max(ratio, 1 / ratio):.1f}" == "1.0":
        distance = "are as near to real data (Frechet distance) as the AE's"
    elif ratio > 1:
        distance = f"are {ratio:.1f} times nearer to real data (Frechet distance) than the AE's"
    else:
        distance = f"are {1 / ratio:.1f} times further from real data (Frechet distance) than the AE's"
    fitted = min((s for s in ae.samples.values() if s.way != "prior"), key=lambda s: s.quality.frechet)
    gain = "helps" if fitted.quality.frechet < ae_prior.frechet else "does not help"
    ae_error, vae_error = ae.reconstruction.squared_error, vae.reconstruction.squared_error
    comparative = "larger" if vae_error > ae_error else "smaller"
    return [
        f"Drawn from N(0, I), the VAE's samples {distance}; they cover {vae_prior.coverage:.0%} of it, "
        f"the AE's {ae_prior.coverage:.0%}.",
        f"The AE's codes lie around a point {ae.moments.mean_norm:.1f} from the origin, with standard "
        f"deviations of {_range(ae.moments.std)}; the VAE's z, around one {vae.moments.mean_norm:.1f} "
        f"from it, with {_range(vae.moments.std)}.",
        f"Fitting a distribution to the AE's codes {gain}: with a {fitted.label} the distance is "
        f"{fitted.quality.frechet:.2f}, with N(0, I) {ae_prior.frechet:.2f}; the VAE's from N(0, I) is "
        f"{vae_prior.frechet:.2f}.",
        f"The VAE's reconstructions have the {comparative} squared error: {vae_error:.2f} against "
        f"{ae_error:.2f}.",
    ]


def compare_numbers(comparison: Comparison) -> dict[str, Any]:
    """Return every number of the table in plain types, for JSON.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    dict
    """

    def numbers(study: ModelStudy) -> dict[str, Any]:
        return {
            "z": {
                "mean": study.moments.mean.tolist(),
                "mean_norm": study.moments.mean_norm,
                "std": study.moments.std.tolist(),
                "covariance_eigenvalues": study.moments.eigenvalues.tolist(),
            },
            "squared_error": study.reconstruction.squared_error,
            "negative_log_likelihood": study.reconstruction.negative_log_likelihood,
            "test_loss": study.test_loss,
            "kl": None if np.isnan(study.kl) else study.kl,
            "samples": {
                way: {"frechet": s.quality.frechet, "coverage": s.quality.coverage}
                for way, s in study.samples.items()
            },
        }

    return {
        "n_compared": comparison.n_compared,
        "real": {"frechet": comparison.real.frechet, "coverage": comparison.real.coverage},
        "ae": numbers(comparison.ae),
        "vae": numbers(comparison.vae),
        "findings": findings(comparison),
    }


def _cell(value: float | None, form: str = ".2f") -> str:
    return f"{'-' if value is None or np.isnan(value) else format(value, form):>12}"


def _quality(label: str, quality: SampleQuality) -> str:
    return f"{label:<40}{quality.frechet:24.2f}{quality.coverage:12.3f}"


def _source(study: ModelStudy, samples: Samples) -> str:
    return f"{study.name}, z ~ {samples.label}" + ("" if samples.way == "prior" else ", fitted")


def _range(values: np.ndarray) -> str:
    least, greatest = f"{values.min():.2f}", f"{values.max():.2f}"
    return least if least == greatest else f"{least} to {greatest}"


def _network(study: ModelStudy) -> str:
    network = study.estimator.network_
    widths = [
        network.n_features,
        *network.hidden,
        network.latent_dim,
        *reversed(network.hidden),
        network.n_features,
    ]
    return "-".join(map(str, widths))
