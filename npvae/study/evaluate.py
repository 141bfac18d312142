"""All figures of one trained model on data that it has not seen."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.core.gaussian import kl_forward, reparameterize_forward
from npvae.estimators.diagnosis import collapse_warning, log_var_warning
from npvae.study.aggregate import aggregate_posterior_kl
from npvae.study.arrays import check_count
from npvae.study.cautions import effective_caution, grey_caution
from npvae.study.evaluation import Evaluation, LogLikelihood, PosteriorFigures
from npvae.study.latent import code_moments
from npvae.study.likelihood import log_marginal_likelihood
from npvae.study.normality import normality_tests
from npvae.study.posterior import (
    LARGEST_LOG_VAR,
    Estimate,
    active_units,
    as_posteriors,
    kl_per_dimension,
    mutual_information,
)
from npvae.study.reconstruction import reconstruction_error
from npvae.training.batches import as_floats

if TYPE_CHECKING:
    from npvae.estimators import VAE, Autoencoder

FEWEST_SAMPLES = 10
_SEED_OF_IMAGES = 0  # the same images for every model and seed, or their ln p(x) would not compare
MOST_PAIRED = 10_000  # samples between all pairs of which the mutual information is summed


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
