"""An evaluation of one model as tables for the terminal, and as plain numbers."""

import math
import textwrap
from typing import Any

from npvae.study.evaluate import Evaluation, PosteriorFigures
from npvae.study.normality import NormalityTests, SimulatedTest
from npvae.study.plain import to_plain
from npvae.study.posterior import Estimate
from npvae.view.table import MOST_COLUMNS, Table


def evaluate_table(evaluation: Evaluation, data_name: str) -> str:
    """Return the evaluation as text of at most 100 columns.

    Parameters
    ----------
    evaluation : Evaluation
        From `npvae.study.evaluate.evaluate`.
    data_name : str
        Of the data that it was measured on.

    Returns
    -------
    str
    """
    posterior = evaluation.posterior
    blocks = [_head(evaluation, data_name)]
    if posterior is not None:
        blocks += [_terms(posterior).text(), _log_likelihoods(posterior).text()]
    blocks += [_reconstruction(evaluation)]
    if posterior is not None:
        blocks += [_use_of_z(posterior)]
    blocks += [_moments(evaluation).text(), _tests(evaluation.normality).text()]
    blocks += [_wrapped(f"Warning. {warning}") for warning in evaluation.warnings]
    return "\n\n".join(blocks)


def evaluate_numbers(evaluation: Evaluation) -> dict[str, Any]:
    """Return every number of an evaluation in JSON's types; NaN and infinity become None."""
    return to_plain(evaluation)


def _head(evaluation: Evaluation, data_name: str) -> str:
    name = {"AE": "Autoencoder", "VAE": "VAE"}[evaluation.kind]
    trained, posterior = "", evaluation.posterior
    if posterior is not None:
        trained = f", trained with beta = {posterior.beta:g}"
        if posterior.objective != "elbo" or posterior.n_draws > 1:
            trained += f" on the {posterior.objective.upper()} with {posterior.n_draws} draws of z"
    return _wrapped(
        f"{name} on {evaluation.n_samples} samples of {data_name}: {evaluation.n_features} features, "
        f"{evaluation.latent_dim} latent dimensions, {evaluation.likelihood} likelihood{trained}"
    )


def _terms(posterior: PosteriorFigures) -> Table:
    rows = [
        ("ELBO (higher is better)", posterior.elbo),
        ("reconstruction, -ln p(x | z)", posterior.reconstruction),
        ("KL(q(z | x) || N(0, I))", posterior.kl),
    ]
    return Table(
        "",
        ("Means over the samples, in nats", "", "+-"),
        [(label, f"{mean.value:.2f}", _error(mean.standard_error)) for label, mean in rows],
        "ELBO = -(reconstruction + KL), a lower bound of ln p(x), whatever beta; +- is a standard error.",
    )


def _log_likelihoods(posterior: PosteriorFigures) -> Table:
    return Table(
        "",
        ("ln p(x), in nats: draws of z", "mean", "+- (images)", "+- (draws)", "effective draws"),
        [
            (
                f"K = {row.n_importance_samples}",
                f"{row.value:.2f}",
                _error(row.standard_error),
                _error(row.sampling_error),
                f"{row.effective_sample_size:.1f}",
            )
            for row in posterior.log_likelihoods
        ],
        f"On {posterior.log_likelihoods[-1].n_images} of the samples, from K draws of z each: a lower bound "
        "that rises with K. The second +- is what other draws would change. The effective draws carry the "
        "weight.",
    )


def _reconstruction(evaluation: Evaluation) -> str:
    code = "the code" if evaluation.posterior is None else "the posterior mean"
    error = evaluation.reconstruction
    return _wrapped(
        f"Reconstruction from {code}, per sample: squared error {error.squared_error:.3f} in the data's "
        f"units squared, -ln p(x | z) {error.negative_log_likelihood:.2f} nats."
    )


def _use_of_z(posterior: PosteriorFigures) -> str:
    descending = sorted(posterior.kl_per_dimension.tolist(), reverse=True)
    lower, upper = posterior.aggregate_kl
    lines = [
        f"Active units: {posterior.n_active} of {len(descending)} latent dimensions; in these the posterior "
        "mean varies with x.",
        f"KL of each dimension, descending, in nats: {' '.join(f'{value:.2f}' for value in descending)}",
        f"I(x; z), what z tells about which of {posterior.n_paired} samples it comes from: "
        f"{_pair(posterior.mutual_information)} nats (at most {posterior.most_information:.2f}).",
        "KL(q(z) || N(0, I)), how far the z of all samples together are from what new ones are drawn from: "
        f"between {_pair(lower)} and {_pair(upper)} nats.",
    ]
    return "\n".join(map(_wrapped, lines))


def _moments(evaluation: Evaluation) -> Table:
    moments = evaluation.moments
    rows = [
        ("distance of the mean from 0", "0", f"{moments.mean_norm:.2f}"),
        ("standard deviations", "1", _range(moments.std.min(), moments.std.max())),
        ("eigenvalues of the covariance", "1", _range(moments.eigenvalues[-1], moments.eigenvalues[0])),
    ]
    what = "the codes" if evaluation.posterior is None else "a draw from each q(z | x)"
    return Table("", (f"Moments of z, {what}", "N(0, I)", "z"), rows)


def _tests(tests: NormalityTests) -> Table:
    def row(label: str, test: SimulatedTest) -> tuple[str, ...]:
        return label, f"{test.statistic:.4g}", f"{test.null_quantile:.3g}", f"{test.p_value:.2f}"

    accuracy = tests.classifier.accuracy
    return Table(
        "",
        ("Does z follow N(0, I)?", "found", "95 % of N(0, I)\nare below", "p"),
        [
            row("energy distance", tests.energy),
            row("MMD^2, inverse multiquadric kernel", tests.mmd),
            ("accuracy of a classifier", f"{accuracy:.3f}", f"{_accuracy_quantile(tests):.3f}", ""),
        ],
        f"{tests.n_codes} z beside {tests.n_null} sets of as many draws from N(0, I), so p is at least "
        f"{1 / (tests.n_null + 1):.2g}. The classifier tells z from draws: 0.5 if they are the same, 1 if "
        f"they do not overlap; +- {tests.classifier.standard_error:.3f}, {tests.classifier.n_test} held out.",
    )


def _accuracy_quantile(tests: NormalityTests) -> float:
    return 0.5 + 1.645 * tests.classifier.standard_error  # of a normal distribution


def _pair(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} +- {_error(estimate.standard_error)}"


def _error(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "-"


def _range(low: float, high: float) -> str:
    ends = f"{low:.2f}", f"{high:.2f}"
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, MOST_COLUMNS, subsequent_indent="  "))
