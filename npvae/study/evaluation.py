"""Evaluate one trained model on held-out data, and show the results as text or HTML tables."""

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from npvae.core.gaussian import kl_forward, reparameterize_forward
from npvae.counted import counted
from npvae.data.file_rows import as_array, row_numbers
from npvae.data.scaling import as_floats
from npvae.estimators.diagnosis import collapse_warning, log_var_warning
from npvae.study.finished import Finished, measure
from npvae.study.metrics.normality import NormalityTests, SimulatedTest, normality_tests
from npvae.study.posterior.aggregate import Bracket, aggregate_posterior_kl
from npvae.study.posterior.cautions import effective_caution, grey_caution
from npvae.study.posterior.information import (
    LARGEST_LOG_VAR,
    LEAST_VARIANCE,
    Estimate,
    RunningMean,
    as_posteriors,
    mutual_information,
)
from npvae.study.posterior.log_marginal import log_marginal_likelihood
from npvae.study.posterior.moments import CodeMoments, RunningMoments
from npvae.study.posterior.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sample_arrays import as_matrix, check_count
from npvae.study.table import MOST_COLUMNS, Table, escaped

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

FEWEST_SAMPLES = 10
_SEED_OF_IMAGES = 0  # the same images for every model and seed, so that their ln p(x) can be compared
MOST_PAIRED = 10_000  # samples for figures that are no means, whose cost is quadratic in their number


class LogLikelihood(NamedTuple):
    """The mean of ln p(x) over some images, by importance sampling.

    Attributes
    ----------
    n_importance_samples : int
        K, for each image.
    value : float
        Nats per sample. In expectation a lower bound, which rises with K.
    standard_error : float
        Standard error of the mean due to the choice of images, taking each ln p(x) as exact; in nats.
    sampling_error : float
        Standard error of the mean due to importance sampling, for these images; in nats. NaN at K = 1.
    effective_sample_size : float
        Mean over the images; from 1 to K.
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
    """Figures that only a VAE has: its ELBO, ln p(x), and properties of q(z | x).

    Parameters
    ----------
    beta, objective, n_draws : float, {"elbo", "iwae"}, int
        How the model was trained. The figures below do not depend on them: they are for beta = 1 and the
        ELBO.
    elbo : Estimate
        Nats per sample; higher is better. It equals -(reconstruction + kl).
    reconstruction : Estimate
        -ln p(x | z) with one draw of z from q(z | x), in nats per sample.
    kl : Estimate
        KL(q(z | x) || N(0, I)), in nats per sample.
    log_likelihoods : tuple of LogLikelihood
        For K = 1, 10, 100 and so on; the last has all importance samples.
    kl_per_dimension : (Z,) array
        Nats; they sum to `kl`.
    active : (Z,) array of bool
        Dimensions whose posterior mean depends on x.
    n_active : int
    mutual_information : Estimate
        I(x; z), with x uniform over `n_paired` samples, in nats.
    most_information : float
        ln n_paired, the largest value that `mutual_information` can have.
    aggregate_kl : Bracket
        Lower and upper bound of KL(q(z) || N(0, I)), in nats.
    n_paired : int
        Samples used for `mutual_information` and `aggregate_kl`, a random subset of more than 10,000.
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
    """What `evaluate` returns.

    Parameters
    ----------
    kind : {"AE", "VAE"}
    likelihood : {"bernoulli", "gaussian"}
    latent_dim, n_features, n_samples : int
        Z, D, N.
    reconstruction : ReconstructionError
        From the codes; for a VAE these are the posterior means.
    moments : CodeMoments
    normality : NormalityTests
        Moments and normality of z: the codes of an AE, one draw from each q(z | x) of a VAE. The tests use
        at most 10,000 of them.
    posterior : PosteriorFigures or None
        None for an AE.
    warnings : tuple of str
        Reasons to be careful with the figures, a sentence or two each.

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
            Name of the data, for the first line; "" omits it.

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
    finished: Finished = measure,
) -> Evaluation:
    """Evaluate a model on held-out data.

    Parameters
    ----------
    model : VAE or Autoencoder
        Fitted.
    X : (N, D) array, N >= 10
        As for `VAE.score_samples`.
    n_importance_samples : int
        The largest K for ln p(x), which is also estimated with K = 1, 10, 100, .... Not used for an AE.
    n_images : int
        Number of samples whose ln p(x) is estimated: a random subset of X that does not depend on
        `random_state`; all of X if it is smaller. Not used for an AE.
    random_state : int
        The same seed gives the same bits.
    progress : callable
        Called with the name of each stage when it begins.
    finished : callable
        `npvae.study.finished.FinishedParts` keeps what takes long: the estimates of ln p(x).

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        `model` is neither a VAE nor an Autoencoder.
    NotFittedError, ValueError
        Not fitted; X is unsuitable, as for `VAE.score_samples`, or has fewer than 10 rows; a count is too
        small.

    Notes
    -----
    Each figure is documented at the function that computes it: `log_marginal_likelihood`, `kl_per_dimension`,
    `active_units`, `mutual_information`, `aggregate_posterior_kl`, `code_moments`, `normality_tests`,
    `reconstruction_error`. The ELBO is the mean of `VAE.score_samples`. The tests and the moments use one
    draw of z for each sample. Estimates of ln p(x) with a larger K reuse the draws of those with a smaller K,
    so differences between them are more precise than the estimates themselves. Log-variances beyond -300 and
    300 are clipped there (except in the ELBO and ln p(x)), and a warning is added.

    Cost: 1.1 n_images n_importance_samples passes through the decoder; figures whose cost is quadratic in N
    use at most 10,000 samples. For 784-400-50 and 10,000 images, on one core: mutual information 1 s, bounds
    of the aggregate KL 5 s, normality tests 3 s, ln p(x) 3 s. Memory: some thousand rows at a time, and
    12 bytes for each row of X. On training data the figures are too good.
    """
    from npvae.estimators import VAE, Autoencoder

    if not isinstance(model, VAE | Autoencoder):
        raise TypeError(f"model must be a VAE or an Autoencoder, got {type(model).__name__}")
    check_count(n_importance_samples, "n_importance_samples")
    check_count(n_images, "n_images")
    check_count(random_state, "random_state", at_least=0)
    progress("reconstruction")
    rows = as_array(X)
    reconstruction = reconstruction_error(model, rows)
    if len(rows) < FEWEST_SAMPLES:
        raise ValueError(f"X must have at least {FEWEST_SAMPLES} rows, got {len(rows)}")
    posterior, cautions = None, [grey_caution(rows, model.network_.likelihood)]
    if isinstance(model, VAE):
        z, moments, posterior, found = _of_posterior(
            model, rows, n_importance_samples, min(n_images, len(rows)), random_state, progress, finished
        )
        cautions += found
    else:
        z, moments = _of_codes(model, rows)
    progress("tests of the codes against N(0, I)")
    return Evaluation(
        kind="AE" if posterior is None else "VAE",
        likelihood=model.network_.likelihood,
        latent_dim=model.network_.latent_dim,
        n_features=model.network_.n_features,
        n_samples=len(rows),
        reconstruction=reconstruction,
        moments=moments,
        normality=normality_tests(z, random_state=random_state),
        posterior=posterior,
        warnings=tuple(caution for caution in cautions if caution is not None),
    )


class _Runs:
    """Goes through data in runs, and knows which rows of a run are among those chosen for `MOST_PAIRED`."""

    def __init__(self, n: int) -> None:
        self.order = np.random.default_rng(_SEED_OF_IMAGES).permutation(row_numbers(n))
        self._chosen, self._next = np.sort(self.order[:MOST_PAIRED]).astype(np.int64), 0

    def advance(self, n: int) -> tuple[slice, np.ndarray]:
        """Take a run of n rows; return which rows it is, and which of its rows are chosen."""
        run = slice(self._next, self._next + n)
        first, end = np.searchsorted(self._chosen, (run.start, run.stop))
        self._next = run.stop
        return run, self._chosen[first:end] - run.start


def _of_codes(model: "Autoencoder", X: np.ndarray) -> tuple[np.ndarray, CodeMoments]:
    """Return the codes of at most `MOST_PAIRED` rows, and the moments of all."""
    runs, moments, chosen = _Runs(len(X)), RunningMoments(), []
    for codes in model.transform_in_runs(X):
        codes = as_matrix(codes, "codes")
        moments.add(codes)
        chosen.append(codes[runs.advance(len(codes))[1]])
    return np.concatenate(chosen), moments.result()


def _of_posterior(
    vae: "VAE",
    X: np.ndarray,
    n_importance_samples: int,
    n_images: int,
    seed: int,
    progress: Callable[[str], object],
    finished: Finished,
) -> tuple[np.ndarray, CodeMoments, PosteriorFigures, list[str | None]]:
    """Return z of at most `MOST_PAIRED` rows, the moments of all z, the figures, and warnings."""
    runs, rng = _Runs(len(X)), np.random.default_rng(seed)
    some, moments, chosen = np.sort(runs.order[:n_images]), RunningMoments(), []
    means = {name: RunningMean() for name in ("elbo", "reconstruction", "kl", "kl of units", "mu")}
    sizes = np.empty(len(X), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a warning tells of such log-variances
        scores = vae.score_samples(X)
    for mu, log_var in vae.encode_in_runs(X):
        run, of_run = runs.advance(len(mu))
        sizes[run] = np.abs(log_var).max(axis=1)
        mu, log_var = as_posteriors(mu, np.clip(log_var, -LARGEST_LOG_VAR, LARGEST_LOG_VAR))
        z, _ = reparameterize_forward(mu, log_var, rng.standard_normal(mu.shape))
        moments.add(z)
        chosen.append((mu[of_run], log_var[of_run], z[of_run]))
        elbo, (kl, _) = scores[run].astype(np.float64), kl_forward(mu, log_var)
        of_units = (mu * mu + np.expm1(log_var) - log_var) / 2
        for mean, values in zip(means.values(), (elbo, -elbo - kl, kl, of_units, mu), strict=True):
            mean.add(values)
    mu, log_var, z = map(np.concatenate, zip(*chosen, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        progress("ln p(x) by importance sampling")
        log_likelihoods = tuple(
            _log_likelihood(vae, X[some], k, seed, finished) for k in importance_samples(n_importance_samples)
        )
    progress("mutual information")
    information = mutual_information(mu, log_var, random_state=seed)
    progress("aggregate posterior")
    aggregate_kl = aggregate_posterior_kl(mu, log_var, random_state=seed)
    active = means["mu"].variance > LEAST_VARIANCE
    figures = PosteriorFigures(
        beta=float(vae.network_.beta),
        objective=vae.network_.objective,
        n_draws=vae.network_.n_draws,
        elbo=means["elbo"].estimate(),
        reconstruction=means["reconstruction"].estimate(),
        kl=means["kl"].estimate(),
        log_likelihoods=log_likelihoods,
        kl_per_dimension=means["kl of units"].mean,
        active=active,
        n_active=int(active.sum()),
        mutual_information=information,
        most_information=float(np.log(len(mu))),
        aggregate_kl=aggregate_kl,
        n_paired=len(mu),
    )
    cautions = [
        collapse_warning(
            vae.network_,
            vae.params_,
            as_floats(X[some], np.dtype(np.float64)),
            mu,
            log_var,
        ),
        log_var_warning(sizes),
        effective_caution(log_likelihoods[-1].effective_sample_size, n_importance_samples),
    ]
    return z, moments.result(), figures, cautions


def importance_samples(most: int) -> list[int]:
    """Return 1, 10, 100, ... below `most`, then `most`."""
    steps = [10**power for power in range(len(str(most))) if 10**power < most]
    return [*steps, most]


def _log_likelihood(vae: "VAE", X: np.ndarray, k: int, seed: int, finished: Finished) -> LogLikelihood:
    estimates = log_marginal_likelihood(vae, X, n_samples=k, random_state=seed, finished=finished)
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
    """Return tables and paragraphs (lists of lines) from top to bottom."""
    posterior = evaluation.posterior
    blocks: list[Table | list[str]] = [[_head(evaluation, data_name)], what_to_look_at(evaluation)]
    if posterior is not None:
        blocks += [_terms(posterior), _log_likelihoods(posterior)]
    blocks += [[_reconstruction(evaluation)]]
    if posterior is not None:
        blocks += [_use_of_z(posterior)]
    blocks += [_moments(evaluation), _tests(evaluation.normality)]
    blocks += [[f"Warning. {warning}"] for warning in evaluation.warnings]
    return blocks


def what_to_look_at(evaluation: Evaluation) -> list[str]:
    """Return the figures to look at first, a line each, with what they mean.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of str
        The figure to compare models by; for a VAE, how many latent dimensions it uses; whether N(0, I) is a
        good place to draw from.
    """
    posterior, tests = evaluation.posterior, evaluation.normality
    lines = ["What to look at:"]
    if posterior is None:
        lines.append(
            f"- Squared error {evaluation.reconstruction.squared_error:.3f}: compare it with that of other "
            "models "
            "of the same data; lower is better."
        )
    else:
        n_active, n = posterior.n_active, evaluation.latent_dim
        unused = "the others add nothing" if n_active else "z says nothing about x: posterior collapse"
        lines += [
            f"- ELBO {posterior.elbo.value:.2f} nats: compare it with that of other models of the same "
            "data; higher "
            "is better.",
            f"- {n_active} of {n} latent dimensions are used{'' if n_active == n else f'; {unused}'}.",
        ]
    accuracy = tests.classifier.accuracy
    if accuracy <= _accuracy_quantile(tests):
        verdict = "is hard to tell from N(0, I)", "draws from N(0, I) are where the decoder was trained"
    else:
        verdict = "differs from N(0, I)", "some draws from N(0, I) are where the decoder was not trained"
    lines.append(
        f"- z {verdict[0]} (a classifier is right in {100 * accuracy:.0f} %, 50 % by chance): {verdict[1]}."
    )
    return lines


def _head(evaluation: Evaluation, data_name: str) -> str:
    name = {"AE": "Autoencoder", "VAE": "VAE"}[evaluation.kind]
    trained, posterior = "", evaluation.posterior
    if posterior is not None:
        trained = f", trained with beta = {posterior.beta:g}"
        if posterior.objective != "elbo" or posterior.n_draws > 1:
            trained += f" on the {posterior.objective.upper()} with {posterior.n_draws} draws of z"
    of_data = f" of {data_name}" if data_name else ""
    return (
        f"{name} on {counted(evaluation.n_samples, 'sample')}{of_data}: "
        f"{counted(evaluation.n_features, 'feature')}, "
        f"{counted(evaluation.latent_dim, 'latent dimension')}, {evaluation.likelihood} likelihood{trained}"
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
        "ELBO = -(reconstruction + KL) is a lower bound of ln p(x), whatever beta was. +-: standard error.",
    )


def _log_likelihoods(posterior: PosteriorFigures) -> Table:
    return Table(
        "",
        ("ln p(x), in nats", "mean", "+- (images)", "+- (draws)", "effective draws"),
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
        f"Estimated for {counted(posterior.log_likelihoods[-1].n_images, 'sample')} with K draws of z each: "
        "in expectation a lower bound, which rises with K. +-: standard errors due to the choice of images "
        "and of draws. Effective draws: effective sample size of the importance weights.",
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
        f"Active units: the posterior means of {posterior.n_active} of {len(descending)} latent dimensions "
        "vary with x.",
        f"KL of each dimension in nats, largest first: {' '.join(f'{value:.2f}' for value in descending)}",
        f"Mutual information I(x; z): {_pair(posterior.mutual_information)} nats. With {posterior.n_paired} "
        f"samples it cannot exceed {posterior.most_information:.2f}.",
        "KL(q(z) || N(0, I)), distance of the aggregate posterior from the prior: between "
        f"{_pair(lower)} and {_pair(upper)} nats.",
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

    accuracy = (f"{tests.classifier.accuracy:.3f}", f"{_accuracy_quantile(tests):.3f}", "")
    return Table(
        "",
        ("Does z follow N(0, I)?", "value", "95 % quantile\nunder N(0, I)", "p"),
        [
            row("energy distance", tests.energy),
            row("MMD^2, inverse multiquadric kernel", tests.mmd),
            ("accuracy of a classifier, z vs N(0, I)", *accuracy),
        ],
        f"{tests.n_codes} z were compared with {tests.n_null} sets of as many draws from N(0, I), so p is at "
        f"least {1 / (tests.n_null + 1):.2g}. Classifier: 0.5 = indistinguishable, 1 = no overlap; standard "
        f"error {tests.classifier.standard_error:.3f}, from {tests.classifier.n_test} held-out points.",
    )


def _accuracy_quantile(tests: NormalityTests) -> float:
    return 0.5 + 1.645 * tests.classifier.standard_error  # 95 % quantile of a normal distribution


def _pair(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} +- {_error(estimate.standard_error)}"


def _error(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "-"


def _range(low: float, high: float) -> str:
    ends = f"{low:.2f}", f"{high:.2f}"
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, MOST_COLUMNS, subsequent_indent="  "))
