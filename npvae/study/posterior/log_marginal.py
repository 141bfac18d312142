"""ln p(x) under a VAE, by importance sampling with its encoder as the proposal distribution."""

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from npvae.data.file_rows import as_array
from npvae.data.scaling import as_floats, check_unit_interval
from npvae.study.finished import Finished, measure
from npvae.study.sample_arrays import check_count
from npvae.training.threads import run_blocks

if TYPE_CHECKING:
    from npvae.core.parameters import Parameters
    from npvae.core.vae import VAENetwork
    from npvae.estimators import VAE
    from npvae.estimators.inputs import RandomState

# A thread works on one block of samples, of which Ctrl-C awaits the end: at most so many samples, and so
# many latent points if there are more than one for each.
_ROWS, _BLOCK = 128, 32_000
_POINTS = 512  # latent points decoded at once, at most


class LogMarginalLikelihood(NamedTuple):
    """Estimates of ln p(x), one for each sample, in float64.

    Attributes
    ----------
    log_likelihood : (N,) array
        In nats.
    standard_error : (N,) array
        Standard errors of `log_likelihood`, in nats; NaN for K = 1.
    effective_sample_size : (N,) array
        From 1, if one weight dominates, to K, if all are equal.
    """

    log_likelihood: np.ndarray
    standard_error: np.ndarray
    effective_sample_size: np.ndarray


def log_marginal_likelihood(
    vae: "VAE",
    X: npt.ArrayLike,
    *,
    n_samples: int = 1000,
    random_state: "RandomState" = None,
    finished: Finished = measure,
) -> LogMarginalLikelihood:
    """Estimate ln p(x) of each sample by importance sampling.

    Parameters
    ----------
    vae : VAE
        Fitted.
    X : (N, D) array
        As for `VAE.score_samples`; may be a memory map.
    n_samples : int
        K, the number of importance samples for each x.
    random_state : int, Generator or RandomState, optional
        The same seed gives the same bits for the same X and K. None: different in every call.
    finished : callable
        `npvae.study.finished.FinishedParts` keeps the estimates of some rows at a time.

    Returns
    -------
    LogMarginalLikelihood

    Raises
    ------
    TypeError
        `vae` is not a VAE. (An autoencoder does not define p(x).)
    NotFittedError, ValueError
        Not fitted; `n_samples` is not a positive integer; X is unsuitable, as for `VAE.score_samples`.

    Notes
    -----
    With z_k = mu + sigma eps_k drawn from q(z | x), each weight w_k = p(x | z_k) p(z_k) / q(z_k | x) has
    expectation p(x), and so has their mean:

        ln p(x) ~ ln (1/K) sum_k w_k = m + ln sum_k exp(ln w_k - m) - ln K,    m = max_k ln w_k,
        ln p(z) - ln q(z | x) = (1/2) sum_j [ eps_j^2 - z_j^2 + log_var_j ].

    The logarithm is concave, so the expectation of the estimate is a lower bound of ln p(x): the ELBO for
    K = 1, and rising with K. With W = sum_k w_k and V = sum_k w_k^2, the effective sample size is W^2 / V.
    The standard error is the delta method's: the standard deviation of w_k / mean(w), over sqrt(K).

    Limits: if the effective sample size is small, the estimate is too low by more than its standard error
    (which is at most 1), as the draws missed the region that dominates the integral. Compare at equal K.
    Under the Bernoulli likelihood, p(x) is a likelihood for binary x only. beta does not enter.

    Cost: N K passes through the decoder, in X's floating type (float32 for uint8); the weights are summed in
    float64. Memory: a few thousand rows at a time, for any K, and mu and log_var of all samples.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equation 8; K = 5000 in section 5.
    Rezende, Mohamed & Wierstra (2014), Stochastic backpropagation, appendix E.
    """
    from npvae.estimators import VAE
    from npvae.estimators.inputs import make_generator

    if not isinstance(vae, VAE):
        raise TypeError(f"ln p(x) is only defined for a VAE; got {type(vae).__name__}")
    check_count(n_samples, "n_samples")
    mu, log_var = vae.encode(X)
    rows, rng = as_array(X), make_generator(random_state)
    params = vae.params_.astype(mu.dtype)
    estimates = np.empty((3, len(mu)))
    n_rows = min(_ROWS, max(1, _BLOCK // n_samples))
    starts = range(0, len(mu), n_rows)
    # Each block has a random stream of its own, so results do not depend on the order of blocks.
    streams = rng.spawn(len(starts))

    def estimate(block: int) -> None:
        some = slice(starts[block], starts[block] + n_rows)
        x = as_floats(rows[some], mu.dtype)
        if vae.network_.likelihood == "bernoulli":
            check_unit_interval(x)

        def part() -> list[list[float]]:
            of_rows = mu[some], log_var[some]
            sums = _sum_weights(vae.network_, params, x, *of_rows, n_samples, streams[block])
            return [values.tolist() for values in sums.estimate()]

        estimates[:, some] = finished(f"ln p(x), K = {n_samples}, from row {starts[block]}", part)

    context = copy_context()  # passes np.errstate on to the threads
    blocks = [partial(context.copy().run, estimate, block) for block in range(len(starts))]
    run_blocks(blocks, vae.n_threads)
    return LogMarginalLikelihood(*estimates)


class _WeightSums:
    """Running sums of the importance weights of n samples, normalised by the largest weight so far."""

    def __init__(self, n: int) -> None:
        self.count = 0
        self.log_unit = np.full(n, -np.inf)
        self.sum = np.zeros(n)
        self.sum_of_squares = np.zeros(n)

    def add(self, log_weights: np.ndarray) -> None:
        """Add K weights of each sample, given as logarithms (K, n) in float64."""
        log_unit = np.maximum(self.log_unit, log_weights.max(axis=0))
        rescale = np.exp(self.log_unit - log_unit)
        weights = np.exp(log_weights - log_unit)  # at most 1
        self.count += len(weights)
        self.log_unit = log_unit
        self.sum = self.sum * rescale + weights.sum(axis=0)
        self.sum_of_squares = self.sum_of_squares * rescale**2 + np.einsum("kn,kn->n", weights, weights)

    def estimate(self) -> LogMarginalLikelihood:
        """Return the estimates of the n samples."""
        k, effective_sample_size = self.count, self.sum**2 / self.sum_of_squares
        with np.errstate(invalid="ignore"):  # 0 / 0 at K = 1
            # Var(w / mean(w)) is K (K V / W^2 - 1) / (K - 1); rounding can take a vanishing one below 0.
            standard_error = np.sqrt(np.maximum(k / effective_sample_size - 1, 0) / np.float64(k - 1))
        return LogMarginalLikelihood(
            self.log_unit + np.log(self.sum / k), standard_error, effective_sample_size
        )


def _sum_weights(
    network: "VAENetwork",
    params: "Parameters",
    x: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    n_samples: int,
    rng: np.random.Generator,
) -> _WeightSums:
    """Draw `n_samples` latent points for each row of x (n, D), mu and log_var (n, Z); sum their weights."""
    n, std = len(x), np.exp(log_var / 2)
    draws = min(max(_POINTS // n, 1), n_samples)  # decoded at once for each row
    tiled = np.tile(x, (draws, 1)) if draws > 1 else x
    sums = _WeightSums(n)
    for first in range(0, n_samples, draws):
        k = min(draws, n_samples - first)
        eps = rng.standard_normal((k, n, network.latent_dim), dtype=x.dtype.type)
        z = mu + std * eps
        log_prior_over_posterior = (eps * eps - z * z + log_var).sum(axis=2, dtype=np.float64) / 2
        output, _ = network.decoder_forward(params, z.reshape(k * n, -1))
        reconstruction, _ = network.reconstruction_forward(params, tiled[: k * n], output)
        sums.add(log_prior_over_posterior - reconstruction.reshape(k, n))
    return sums
