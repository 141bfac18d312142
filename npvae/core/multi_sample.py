"""A VAE trained with several draws of z for each sample: the ELBO averaged over them, or the IWAE's bound.

The encoder runs once for each sample, the decoder once for each draw: both are the stages of `VAENetwork`.
Where a number is copied to all draws, its gradient is the sum of the copies'.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import batch_mean
from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork

OBJECTIVES = ("elbo", "iwae")


def importance_bound_forward(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute L_k = ln (1/k) sum_i w_i of every sample.

    Parameters
    ----------
    log_weights : (N, k) array
        ln w_i = ln p(x | z_i) + ln p(z_i) - ln q(z_i | x), in nats, with z_i drawn from q(z | x).

    Returns
    -------
    bound : (N,) array
        In nats.
    shares : (N, k) array
        The cache: w_i / sum_j w_j, which add up to 1.

    Notes
    -----
    Each w_i has expectation p(x), and so has their mean; the logarithm is concave, so E L_k <= ln p(x). k = 1
    gives the ELBO, and E L_k rises with k: a mean of k weights is the mean, over all choices of m < k of
    them, of the means of the chosen, and the logarithm of a mean is at least the mean of the logarithms.

    The largest ln w_i is taken out before the exponential, so that none overflows and not all are 0.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equation 8 and theorem 1.
    """
    largest = log_weights.real.max(axis=1, keepdims=True)  # a constant: it cancels, so it has no derivative
    weights = np.exp(log_weights - largest)
    total = weights.sum(axis=1, keepdims=True)
    bound = (largest + np.log(total))[:, 0] - float(np.log(log_weights.shape[1]))
    return bound, weights / total


def importance_bound_backward(d_bound: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Carry dL/dbound (N,) back to the logarithms of the weights (N, k).

    Notes
    -----
    dL_k / d ln w_i = w_i / sum_j w_j: draws that explain x well have the most to say. The ELBO's mean over
    draws gives each of them 1 / k.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), equations 13 and 14.
    """
    return d_bound[:, None] * shares


def log_ratio_forward(z: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute ln q(z | x) - ln p(z) of every draw.

    Parameters
    ----------
    z, log_var, eps : (M, Z) arrays
        z = mu + exp(log_var / 2) * eps, a draw from q(z | x).

    Returns
    -------
    log_ratio : (M,) array
        In nats. Its mean over draws is KL(q(z | x) || N(0, I)).
    z : (M, Z) array
        The cache.

    Notes
    -----
    (z - mu) / std is the noise, so mu drops out of ln q:

        ln q(z | x) = -(1/2) sum_j [ eps_j^2 + log_var_j + ln(2 pi) ],
        ln p(z)     = -(1/2) sum_j [ z_j^2 + ln(2 pi) ].
    """
    return (z * z - eps * eps - log_var).sum(axis=1) / 2, z


def log_ratio_backward(d_log_ratio: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry dL/dlog_ratio (M,) back to z and log_var, (M, Z) each.

    Notes
    -----
    d/dz_j = z_j, which pulls draws towards the origin, and d/dlog_var_j = -1/2, which widens q. The noise is
    a constant.
    """
    d_log_ratio = d_log_ratio[:, None]  # (M, 1)
    return d_log_ratio * z, np.broadcast_to(-d_log_ratio / 2, z.shape)


class Terms(NamedTuple):
    """What both objectives are made of, in nats."""

    reconstruction: np.ndarray  # (N, k), -ln p(x | z_i)
    log_ratio: np.ndarray  # (N, k), ln q(z_i | x) - ln p(z_i), whose mean over z is the KL
    kl: np.ndarray  # (N,), the KL in closed form


def terms_forward(
    network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray
) -> tuple[Terms, tuple[Any, ...]]:
    """Compute what the objectives are made of, for x (N, D) with the noise eps (N, k, Z)."""
    n, k, _ = eps.shape
    (mu, log_var), encoder = network.encoder_forward(params, x)
    eps, mu_k, log_var_k = eps.reshape(n * k, -1), np.repeat(mu, k, axis=0), np.repeat(log_var, k, axis=0)
    z, reparameterize = reparameterize_forward(mu_k, log_var_k, eps)  # (N k, Z)
    output, decoder = network.decoder_forward(params, z)
    reconstruction, likelihood = network.reconstruction_forward(params, np.repeat(x, k, axis=0), output)
    log_ratio, ratio = log_ratio_forward(z, log_var_k, eps)
    kl, kl_cache = kl_forward(mu, log_var)
    terms = Terms(reconstruction.reshape(n, k), log_ratio.reshape(n, k), kl)
    return terms, (params, encoder, reparameterize, decoder, likelihood, ratio, kl_cache)


def terms_backward(network: VAENetwork, d_terms: Terms, cache: tuple[Any, ...]) -> Parameters:
    """Carry the gradients of the terms back to every parameter.

    Notes
    -----
    From ln p(x | z) and from the ratio a path leads to mu and log_var by way of z, from the ratio one more
    straight to log_var, and from the KL one to both.
    """
    params, encoder, reparameterize, decoder, likelihood, ratio, kl_cache = cache
    grads, (n, k) = params.zeros_like(), d_terms.reconstruction.shape
    d_output = network.reconstruction_backward(d_terms.reconstruction.reshape(-1), likelihood, grads)
    dz = network.decoder_backward(d_output, decoder, grads)
    dz_ratio, d_log_var_ratio = log_ratio_backward(d_terms.log_ratio.reshape(-1), ratio)
    d_mu, d_log_var = reparameterize_backward(dz + dz_ratio, reparameterize)
    d_log_var = d_log_var + d_log_var_ratio
    d_mu_kl, d_log_var_kl = kl_backward(d_terms.kl, kl_cache)
    d_mu = d_mu.reshape(n, k, -1).sum(axis=1) + d_mu_kl
    d_log_var = d_log_var.reshape(n, k, -1).sum(axis=1) + d_log_var_kl
    network.encoder_backward(d_mu, d_log_var, encoder, grads)
    return grads


@dataclass(frozen=True, kw_only=True)
class MultiSampleVAENetwork(VAENetwork):
    """A variational autoencoder whose loss has k draws of z for each sample; its stages are those of a VAE.

    Parameters
    ----------
    **architecture, beta
        Those of `VAENetwork`.
    objective : {"iwae", "elbo"}
        What minus the loss is: L_k of `importance_bound_forward`, or the ELBO with the reconstruction
        averaged over k draws and the KL in closed form.
    n_draws : int
        k, at least 1.

    Raises
    ------
    ValueError
        A number is out of its range, or a name is unknown.

    Notes
    -----
    Averaging takes noise out of the ELBO's gradient and leaves what it is a gradient of. The bound L_k is
    another objective: it is tighter, and it lets q(z | x) be wrong where other draws make up for it. With
    beta, ln w = ln p(x | z) + beta (ln p(z) - ln q(z | x)), as in the ELBO, which is a bound for beta = 1
    only.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders.
    """

    objective: str = "iwae"
    n_draws: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {self.objective!r}")
        if (
            not isinstance(self.n_draws, int | np.integer)
            or isinstance(self.n_draws, bool)
            or self.n_draws < 1
        ):
            raise ValueError(f"n_draws must be an integer of at least 1, got {self.n_draws!r}")

    def noise_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape (N, k, Z) of the noise for n samples."""
        return n, self.n_draws, self.latent_dim

    def loss(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> VAELoss:
        """Return the mean loss of x (N, D) with the noise eps (N, k, Z), without gradients.

        Total is minus the objective. For "iwae" it is not the sum of the other two, which stay what they are
        for the ELBO: the mean of -ln p(x | z), and the KL in closed form.
        """
        terms, _ = terms_forward(self, params, x, eps)
        return self._objective(terms, beta)[0]

    def loss_and_grad(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> tuple[VAELoss, Parameters]:
        """Return the loss of x (N, D) with the noise eps (N, k, Z), and its gradient for every parameter."""
        terms, cache = terms_forward(self, params, x, eps)
        loss, d_terms = self._objective(terms, beta)
        return loss, terms_backward(self, d_terms, cache)

    def _objective(self, terms: Terms, beta: float | None) -> tuple[VAELoss, Terms]:
        beta = float(self.beta if beta is None else beta)
        k = terms.reconstruction.shape[1]
        mean_kl, share_of_sample = batch_mean(terms.kl)
        mean_reconstruction, _ = batch_mean(terms.reconstruction.sum(axis=1) / k)
        if self.objective == "iwae":
            bound, shares = importance_bound_forward(-terms.reconstruction - beta * terms.log_ratio)
            total, d_total = batch_mean(-bound)
            d_log_weights = importance_bound_backward(-d_total, shares)
            d_terms = Terms(-d_log_weights, -beta * d_log_weights, np.zeros_like(terms.kl))
        else:
            total = mean_reconstruction + beta * mean_kl
            share_of_draw = np.repeat(share_of_sample[:, None] / k, k, axis=1)
            d_terms = Terms(share_of_draw, np.zeros_like(terms.log_ratio), beta * share_of_sample)
        return VAELoss(total, mean_reconstruction, mean_kl), d_terms
