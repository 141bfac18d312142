"""All figures of one trained model on data that it has not seen, and their tables as text and as HTML."""

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from npvae.core.gaussian import kl_forward, reparameterize_forward
from npvae.data.scaling import as_floats
from npvae.estimators.diagnosis import collapse_warning, log_var_warning
from npvae.study.metrics.normality import NormalityTests, SimulatedTest, normality_tests
from npvae.study.posterior.aggregate import Bracket, aggregate_posterior_kl
from npvae.study.posterior.cautions import effective_caution, grey_caution
from npvae.study.posterior.information import (
    LARGEST_LOG_VAR,
    Estimate,
    active_units,
    as_posteriors,
    kl_per_dimension,
    mutual_information,
)
from npvae.study.posterior.likelihood import log_marginal_likelihood
from npvae.study.posterior.moments import CodeMoments, code_moments
from npvae.study.posterior.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sample_arrays import check_count
from npvae.study.table import MOST_COLUMNS, Table, escaped

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

FEWEST_SAMPLES = 10
_SEED_OF_IMAGES = 0  # the same images for every model and seed, or their ln p(x) would not compare
MOST_PAIRED = 10_000  # samples between all pairs of which the mutual information is summed


class LogLikelihood(NamedTuple):
    """The mean of ln p(x) over some images, by importance sampling.

    Attributes
    ----------
    n_importance_samples : int
        K, for each image.
    value : float
        In nats per sample; a lower bound in expectation, rising with K.
    standard_error : float
        Of the mean over images, as if each ln p(x) were exact; in nats.
    sampling_error : float
        Of the mean, from importance sampling alone, with the images as they are; in nats; NaN at K = 1.
    effective_sample_size : float
        From 1 to K; mean over the images.
    n_images : int
    """

    n_importance_samples: int
    value: float
    standard_error: float
    sampling_error: float
    effective_sample_size: float
    n_images: int


@dataclass(frozen=True, eq=False)
class PosteriorFigures:
    """What only a VAE has: an ELBO, p(x), and q(z | x).

    Parameters
    ----------
    beta : float
        That it was trained with; the figures are those of beta = 1.
    objective : {"elbo", "iwae"}
    n_draws : int
        Likewise; the figures are those of the ELBO with one draw, and of p(x).
    elbo : Estimate
        ELBO, in nats per sample; higher is better. Minus the sum of the next two.
    reconstruction : Estimate
        -ln p(x | z) with one draw of z from q(z | x), in nats per sample.
    kl : Estimate
        KL(q(z | x) || N(0, I)), in nats per sample.
    log_likelihoods : tuple of LogLikelihood
        For K = 1, 10, 100 and so on; the last has all importance samples.
    kl_per_dimension : (Z,) array
        In nats; the sum is `kl`.
    active : (Z,) array of bool
        Dimensions whose posterior mean depends on x.
    n_active : int
    mutual_information : Estimate
        I(x; z) between z and which of the `n_paired` samples it comes from, in nats.
    most_information : float
        ln n_paired, above which `mutual_information` cannot be.
    aggregate_kl : Bracket
        KL(q(z) || N(0, I)) lies between the two, in nats.
    n_paired : int
    """

    beta: float
    objective: str
    n_draws: int
    elbo: Estimate
    reconstruction: Estimate
    kl: Estimate
    log_likelihoods: tuple[LogLikelihood, ...]
    kl_per_dimension: np.ndarray
    active: np.ndarray
    n_active: int
    mutual_information: Estimate
    most_information: float
    aggregate_kl: Bracket
    n_paired: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` measures.

    Parameters
    ----------
    kind : {"AE", "VAE"}
    likelihood : {"bernoulli", "gaussian"}
    latent_dim, n_features, n_samples : int
        Z, D, N.
    reconstruction : ReconstructionError
        At the codes; for a VAE the posterior means.
    moments : CodeMoments
    normality : NormalityTests
        Both of z: for the AE the codes, for the VAE a draw from each q(z | x).
    posterior : PosteriorFigures or None
        None for the AE.
    warnings : tuple of str
        A sentence for each reason not to take the figures as they are.

    Notes
    -----
    ``print`` shows the tables that ``npvae evaluate`` prints, and a notebook shows them as HTML.
    """

    kind: str
    likelihood: str
    latent_dim: int
    n_features: int
    n_samples: int
    reconstruction: ReconstructionError
    moments: CodeMoments
    normality: NormalityTests
    posterior: PosteriorFigures | None
    warnings: tuple[str, ...]

    def text(self, data_name: str = "") -> str:
        """Return the tables as text of at most 100 columns.

        Parameters
        ----------
        data_name : str
            Of the data that was measured on; left out where it is empty.

        Returns
        -------
        str
        """
        blocks = _blocks(self, data_name)
        return "\n\n".join(
            block.text() if isinstance(block, Table) else "\n".join(map(_wrapped, block)) for block in blocks
        )

    def html(self, data_name: str = "") -> str:
        """Return the same tables as HTML elements.

        Parameters
        ----------
        data_name : str
            As for `text`.

        Returns
        -------
        str
        """
        blocks = _blocks(self, data_name)
        return "\n".join(
            block.html() if isinstance(block, Table) else f"<p>{'<br>'.join(map(escaped, block))}</p>"
            for block in blocks
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def evaluate(
    model: "VAE | Autoencoder",
    X: npt.ArrayLike,
    *,
    n_importance_samples: int = 1000,
    n_images: int = 500,
    random_state: int = 0,
    progress: Callable[[str], object] = lambda stage: None,
) -> Evaluation:
    """Measure a model on data that it has not seen.

    Parameters
    ----------
    model : VAE or Autoencoder
        Fitted.
    X : (N, D) array, N >= 10
        As for `VAE.score_samples`.
    n_importance_samples : int
        The largest K for ln p(x), which is estimated at K = 1, 10, 100 and so on, too. Not used for an AE.
    n_images : int
        Images whose ln p(x) is estimated, chosen at random, but always the same of the same X; all where
        there are fewer. Not used for an AE.
    random_state : int
        The same seed gives the same bits.
    progress : callable
        Is told the name of each stage as it begins.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        `model` is neither.
    NotFittedError, ValueError
        Not fitted; X is unsuitable, as for `VAE.score_samples`, or has fewer than 10 rows; a count is too
        small.

    Notes
    -----
    Each figure is described where it is computed: `log_marginal_likelihood`, `kl_per_dimension`,
    `active_units`, `mutual_information`, `aggregate_posterior_kl`, `code_moments`, `normality_tests`,
    `reconstruction_error`. The ELBO is the mean of `VAE.score_samples`. The tests and the moments use one
    draw of z for each sample. A larger K repeats the draws of the smaller ones, so the differences in the
    table of ln p(x) are more certain than its entries. Log-variances larger than 300 in size are cut to it
    where z is drawn and for KL, I(x; z) and the bracket; a caution speaks of them.

    Cost: 1.1 n_images n_importance_samples passes through the decoder; what is quadratic in N is done for
    at most 10,000 samples. 784-400-50 on 10,000 images, in seconds of one core: 1 for mutual information, 5
    for the bracket, 3 for the tests, 3 for ln p(x). Trap: on training data the figures are better than they
    should be.
    """
    from npvae.estimators import VAE, Autoencoder

    if not isinstance(model, VAE | Autoencoder):
        raise TypeError(f"model must be a VAE or an Autoencoder, got {type(model).__name__}")
    check_count(n_importance_samples, "n_importance_samples")
    check_count(n_images, "n_images")
    check_count(random_state, "random_state", at_least=0)
    progress("reconstruction")
    rows = np.asarray(X)
    reconstruction = reconstruction_error(model, rows)
    if len(rows) < FEWEST_SAMPLES:
        raise ValueError(f"X must have at least {FEWEST_SAMPLES} rows, got {len(rows)}")
    posterior, cautions = None, [grey_caution(rows, model.network_.likelihood)]
    if isinstance(model, VAE):
        z, posterior, found = _of_posterior(
            model, rows, n_importance_samples, min(n_images, len(rows)), random_state, progress
        )
        cautions += found
    else:
        z = model.transform(rows)
    progress("tests of the codes against N(0, I)")
    return Evaluation(
        kind="AE" if posterior is None else "VAE",
        likelihood=model.network_.likelihood,
        latent_dim=model.network_.latent_dim,
        n_features=model.network_.n_features,
        n_samples=len(rows),
        reconstruction=reconstruction,
        moments=code_moments(z),
        normality=normality_tests(z, random_state=random_state),
        posterior=posterior,
        warnings=tuple(caution for caution in cautions if caution is not None),
    )


def _of_posterior(
    vae: "VAE",
    X: np.ndarray,
    n_importance_samples: int,
    n_images: int,
    seed: int,
    progress: Callable[[str], object],
) -> tuple[np.ndarray, PosteriorFigures, list[str | None]]:
    """Return a draw of z for each row, the figures, and the cautions."""
    mu, log_var = vae.encode(X)
    out_of_range = log_var_warning(log_var)
    mu, log_var = as_posteriors(mu, np.clip(log_var, -LARGEST_LOG_VAR, LARGEST_LOG_VAR))
    order = np.random.default_rng(_SEED_OF_IMAGES).permutation(len(X))
    some, paired = np.sort(order[:n_images]), np.sort(order[:MOST_PAIRED])
    rng = np.random.default_rng(seed)
    z, _ = reparameterize_forward(mu, log_var, rng.standard_normal(mu.shape))
    kl, _ = kl_forward(mu, log_var)
    with np.errstate(over="ignore", invalid="ignore"):  # log-variances of which a caution speaks
        elbo = vae.score_samples(X).astype(np.float64)
        progress("ln p(x) by importance sampling")
        log_likelihoods = tuple(
            _log_likelihood(vae, X[some], k, seed) for k in importance_samples(n_importance_samples)
        )
    progress("mutual information")
    information = mutual_information(mu[paired], log_var[paired], random_state=seed)
    progress("aggregate posterior")
    aggregate_kl = aggregate_posterior_kl(mu[paired], log_var[paired], random_state=seed)
    active = active_units(mu)
    figures = PosteriorFigures(
        beta=float(vae.network_.beta),
        objective=vae.network_.objective,
        n_draws=vae.network_.n_draws,
        elbo=Estimate.mean_of(elbo),
        reconstruction=Estimate.mean_of(-elbo - kl),
        kl=Estimate.mean_of(kl),
        log_likelihoods=log_likelihoods,
        kl_per_dimension=kl_per_dimension(mu, log_var),
        active=active,
        n_active=int(active.sum()),
        mutual_information=information,
        most_information=float(np.log(len(paired))),
        aggregate_kl=aggregate_kl,
        n_paired=len(paired),
    )
    cautions = [
        collapse_warning(
            vae.network_,
            vae.params_,
            as_floats(X[some], np.dtype(np.float64)),
            mu,
            log_var,
        ),
        out_of_range,
        effective_caution(log_likelihoods[-1].effective_sample_size, n_importance_samples),
    ]
    return z, figures, cautions


def importance_samples(most: int) -> list[int]:
    """Return 1, 10, 100 and so on up to `most`, which is the last."""
    steps = [10**power for power in range(len(str(most))) if 10**power < most]
    return [*steps, most]


def _log_likelihood(vae: "VAE", X: np.ndarray, k: int, seed: int) -> LogLikelihood:
    estimates = log_marginal_likelihood(vae, X, n_samples=k, random_state=seed)
    mean = Estimate.mean_of(estimates.log_likelihood)
    return LogLikelihood(
        n_importance_samples=k,
        value=mean.value,
        standard_error=mean.standard_error,
        sampling_error=float(np.sqrt(np.sum(estimates.standard_error**2)) / len(X)),
        effective_sample_size=float(estimates.effective_sample_size.mean()),
        n_images=len(X),
    )


def _blocks(evaluation: Evaluation, data_name: str) -> list[Table | list[str]]:
    """Return tables and paragraphs, which are lists of lines, from top to bottom."""
    posterior = evaluation.posterior
    blocks: list[Table | list[str]] = [[_head(evaluation, data_name)]]
    if posterior is not None:
        blocks += [_terms(posterior), _log_likelihoods(posterior)]
    blocks += [[_reconstruction(evaluation)]]
    if posterior is not None:
        blocks += [_use_of_z(posterior)]
    blocks += [_moments(evaluation), _tests(evaluation.normality)]
    blocks += [[f"Warning. {warning}"] for warning in evaluation.warnings]
    return blocks


def _head(evaluation: Evaluation, data_name: str) -> str:
    name = {"AE": "Autoencoder", "VAE": "VAE"}[evaluation.kind]
    trained, posterior = "", evaluation.posterior
    if posterior is not None:
        trained = f", trained with beta = {posterior.beta:g}"
        if posterior.objective != "elbo" or posterior.n_draws > 1:
            trained += f" on the {posterior.objective.upper()} with {posterior.n_draws} draws of z"
    of_data = f" of {data_name}" if data_name else ""
    return (
        f"{name} on {evaluation.n_samples} samples{of_data}: {evaluation.n_features} features, "
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
    return (
        f"Reconstruction from {code}, per sample: squared error {error.squared_error:.3f} in the data's "
        f"units squared, -ln p(x | z) {error.negative_log_likelihood:.2f} nats."
    )


def _use_of_z(posterior: PosteriorFigures) -> list[str]:
    descending = sorted(posterior.kl_per_dimension.tolist(), reverse=True)
    lower, upper = posterior.aggregate_kl
    return [
        f"Active units: {posterior.n_active} of {len(descending)} latent dimensions; in these the posterior "
        "mean varies with x.",
        f"KL of each dimension, descending, in nats: {' '.join(f'{value:.2f}' for value in descending)}",
        f"I(x; z), what z tells about which of {posterior.n_paired} samples it comes from: "
        f"{_pair(posterior.mutual_information)} nats (at most {posterior.most_information:.2f}).",
        "KL(q(z) || N(0, I)), how far the z of all samples together are from what new ones are drawn from: "
        f"between {_pair(lower)} and {_pair(upper)} nats.",
    ]


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
