"""Tables of a comparison: latent spaces, and the quality of samples and controls."""

from collections.abc import Callable
from functools import partial

import numpy as np

from npvae.counted import counted
from npvae.estimators import VAE
from npvae.study.comparison import Comparison
from npvae.study.experiment.cache import KINDS
from npvae.study.findings import comparison_findings
from npvae.study.sampling.samplers import WAYS
from npvae.study.summary import summarise
from npvae.study.table import Table, with_spread, wrapped
from npvae.view.tables.samples import Figures, control_rows, samples_table, way_label

_MOST_DIMS = 3  # side by side
_Figures = Callable[[Comparison, str, int], np.ndarray]


def compare_text(comparison: Comparison) -> str:
    """Format the comparison as text of at most 100 columns: three sentences, tables, all findings.

    Parameters
    ----------
    comparison : Comparison
        From `npvae.study.comparison.compare`.

    Returns
    -------
    str
    """
    sentences = "\n".join(wrapped(sentence) for sentence in summarise(comparison).sentences)
    parts = [sentences, "\n".join(heading(comparison)), *(table.text() for table in tables(comparison))]
    parts.append("\n".join(wrapped(finding, "* ") for finding in comparison_findings(comparison)))
    return "\n\n".join(parts)


def heading(comparison: Comparison) -> tuple[str, str]:
    """Return two lines: the data, and the models with their settings."""
    data, dims, seeds = comparison.data, comparison.latent_dims, comparison.seeds
    ae, vae = (comparison.study(kind, dims[0]).estimator for kind in KINDS)
    network = vae.network_
    code = str(dims[0]) if len(dims) == 1 else "D"
    widths = [network.n_features, *network.hidden, code, *reversed(network.hidden), network.n_features]
    epochs = f"{ae.n_iter_}" if ae.n_iter_ == vae.n_iter_ else f"{ae.n_iter_} and {vae.n_iter_}"
    epochs += " epoch" if epochs == "1" else " epochs"
    several = f", D = {', '.join(map(str, dims))}" if len(dims) > 1 else ""
    of_seeds = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return (
        f"AE and VAE on {data.name}: {len(data.X_train)} training and {len(data.X_test)} test samples",
        f"network {'-'.join(map(str, widths))}{several}, {epochs}, {of_seeds}{objective(vae)}",
    )


def objective(vae: VAE) -> str:
    """Name the training objective of a VAE unless it is the ELBO with one draw and beta = 1."""
    network, parts = vae.network_, []
    if network.objective != "elbo":
        parts.append("the importance-weighted bound")
    if network.n_draws > 1:
        parts.append(f"{network.n_draws} draws of z")
    if network.beta != 1:
        parts.append(f"beta = {network.beta:g}")
    if vae.free_bits:
        parts.append(f"{vae.free_bits:g} free nats per latent dimension")
    if vae.kl_warmup_epochs:
        n = vae.kl_warmup_epochs
        parts.append(f"KL warm-up over {counted(n, 'epoch')}")
    return f"; VAE: {', '.join(parts)}" if parts else ""


def tables(comparison: Comparison) -> list[Table]:
    """Return the tables: latent spaces, three latent dimensions in each; then samples and controls."""
    dims = comparison.latent_dims
    latent = [_latent_table(comparison, dims[i : i + _MOST_DIMS]) for i in range(0, len(dims), _MOST_DIMS)]
    return [*latent, _samples_table(comparison)]


def _of(*path: str | int) -> _Figures:
    return lambda comparison, kind, latent_dim: comparison.figures(kind, latent_dim, *path)


def _minus(*path: str | int) -> _Figures:
    return lambda comparison, kind, latent_dim: -comparison.figures(kind, latent_dim, *path)


def _extreme(choose: Callable[..., np.ndarray], *path: str) -> _Figures:
    return lambda comparison, kind, latent_dim: choose(comparison.figures(kind, latent_dim, *path), axis=1)


# Label, figures, value for N(0, I), decimals.
_LATENT_ROWS: list[tuple[str, _Figures, str, int | None]] = [
    ("z: distance of its mean from 0", _of("moments", "mean_norm"), "0", None),
    ("z: smallest standard deviation", _extreme(np.min, "moments", "std"), "1", None),
    ("z: largest standard deviation", _extreme(np.max, "moments", "std"), "1", None),
    ("covariance: smallest eigenvalue", _extreme(np.min, "moments", "eigenvalues"), "1", None),
    ("covariance: largest eigenvalue", _extreme(np.max, "moments", "eigenvalues"), "1", None),
    ("classifier accuracy, z vs N(0, I)", _of("normality", "classifier", "accuracy"), "0.5", 3),
    ("energy test against N(0, I): p", _of("normality", "energy", "p_value"), "", 2),
    ("MMD test against N(0, I): p", _of("normality", "mmd", "p_value"), "", 2),
    ("reconstruction: squared error", _of("reconstruction", "squared_error"), "", None),
    ("-ln p(x | code), nats", _of("reconstruction", "negative_log_likelihood"), "", None),
    ("KL(q(z | x) || N(0, I)), nats", _of("posterior", "kl", "value"), "", None),
    ("KL(q(z) || N(0, I)), lower bound", _of("posterior", "aggregate_kl", "lower", "value"), "0", None),
    ("KL(q(z) || N(0, I)), upper bound", _of("posterior", "aggregate_kl", "upper", "value"), "0", None),
    ("I(x; z), nats", _of("posterior", "mutual_information", "value"), "", None),
    ("active units", _of("posterior", "n_active"), "", 0),
    ("negative ELBO, nats", _minus("posterior", "elbo", "value"), "", None),
    ("negative ELBO (subset), nats", _minus("posterior", "log_likelihoods", 0, "value"), "", None),
    ("-ln p(x) (subset), nats", _minus("posterior", "log_likelihoods", -1, "value"), "", None),
]


def _latent_table(comparison: Comparison, dims: tuple[int, ...]) -> Table:
    columns = [(kind, latent_dim) for latent_dim in dims for kind in KINDS]
    header = ("test samples", *(f"D = {latent_dim}\n{kind}" for kind, latent_dim in columns), "\nN(0, I)")
    rows = []
    for label, figures, wanted, decimals in _LATENT_ROWS:
        cells = [with_spread(figures(comparison, kind, d), decimals=decimals) for kind, d in columns]
        rows.append((label, *cells, wanted))
    study = comparison.study("VAE", dims[0])
    last = study.figures["posterior"]["log_likelihoods"][-1]
    note = (
        f"z: the AE's codes, and one draw from each q(z | x) of the VAE. -ln p(x | code): "
        f"{study.estimator.likelihood} likelihood. Classifier accuracy: 0.5 = indistinguishable. I(x; z) "
        f"cannot exceed {study.figures['posterior']['most_information']:.2f}, the logarithm of the number of "
        f"images. Subset: {counted(last['n_images'], 'image')}, "
        f"{counted(last['n_importance_samples'], 'importance sample')} each."
    )
    return Table("", header, rows, note + _spread_note(comparison))


def _samples_table(comparison: Comparison) -> Table:
    groups: dict[str, dict[str, Figures]] = {
        "controls": control_rows(comparison.controls, comparison.n_compared)
    }
    for latent_dim in comparison.latent_dims:
        groups[f"D = {latent_dim}"] = {
            f"{kind}, {way_label(way)}": partial(comparison.qualities, kind, latent_dim, way)
            for kind in KINDS
            for way in WAYS[kind]
        }
    accuracy = comparison.classifier_accuracy
    return samples_table(groups, comparison.n_compared, accuracy, _spread_note(comparison))


def _spread_note(comparison: Comparison) -> str:
    if len(comparison.seeds) == 1:
        return ""
    return " In brackets: standard deviation over the seeds, in units of the last digit."
