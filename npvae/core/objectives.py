"""Other objectives than the ELBO of one draw: several draws, the IWAE's bound, and free bits.

Each network here is made of the stages of `VAENetwork`. For several draws, a sample with k draws is written
as k equal samples with one draw each: then the averaged ELBO is the VAE's own loss, and the bound of
importance-weighted autoencoders also needs the weights of the draws. Free bits are a KL term against
posterior collapse.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.core.architecture import batch_mean, is_count, is_number
from npvae.core.gaussian import (
    free_bits_forward,
    kl_forward,
    reparameterize_backward,
    reparameterize_forward,
)
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork

OBJECTIVES = ("elbo", "iwae")


def importance_bound_forward(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute L_k = ln (1/k) Σ_i w_i of every sample.

    Parameters
    ----------
    log_weights : (N, k) array
        ln w_i = ln p(x | z_i) + ln p(z_i) - ln q(z_i | x), in nats, with z_i drawn from q(z | x).

    Returns
    -------
    bound : (N,) array
        In nats.
    shares : (N, k) array
        The cache: w_i / Σ_j w_j, which add up to 1.

    Notes
    -----
    Each w_i has expectation p(x), and so has their mean; the logarithm is concave, so E L_k <= ln p(x). k = 1
    gives the ELBO, and E L_k does not fall as k grows: a mean of k weights is the mean, over all choices of
    m < k of them, of the means of the chosen, and the logarithm of a mean is at least the mean of the
    logarithms.

    The largest ln w_i is taken out before the exponential, so that none overflows and not all are 0.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equation 8 and theorem 1.
    """
    largest = log_weights.real.max(axis=1, keepdims=True)  # cancels, so the complex step may pass it by
    weights = np.exp(log_weights - largest)
    total = weights.sum(axis=1, keepdims=True)
    bound = (largest + np.log(total))[:, 0] - float(np.log(log_weights.shape[1]))
    return bound, weights / total


def importance_bound_backward(d_bound: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Carry dL/dbound (N,) back to the logarithms of the weights (N, k).

    Notes
    -----
    ∂L_k / ∂ln w_i = w_i / Σ_j w_j: draws that explain x well have the most to say. The ELBO's mean over
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
        In nats. Its expectation over q(z | x) is KL(q(z | x) || N(0, I)).
    z : (M, Z) array
        The cache.

    Notes
    -----
    (z - mu) / std is the noise, so mu drops out of ln q:

        ln q(z | x) = -(1/2) Σ_j [ eps_j² + log_var_j + ln 2π ],
        ln p(z)     = -(1/2) Σ_j [ z_j² + ln 2π ].
    """
    return (z * z - eps * eps - log_var).sum(axis=1) / 2, z


def log_ratio_backward(d_log_ratio: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry dL/dlog_ratio (M,) back to z and log_var, (M, Z) each.

    Notes
    -----
    ∂/∂z_j = z_j, which pulls draws towards the origin, and ∂/∂log_var_j = -1/2, which widens q. The noise is
    a constant.
    """
    d_log_ratio = d_log_ratio[:, None]  # (M, 1)
    return d_log_ratio * z, -d_log_ratio / 2 * np.ones_like(z)


def one_row_per_draw(x: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn N samples x (N, D) with k draws eps (N, k, Z) each into N k samples with one draw each."""
    n, k, latent_dim = eps.shape
    return np.repeat(x, k, axis=0), eps.reshape(n * k, latent_dim)


def log_weights_forward(
    network: VAENetwork, params: Parameters, x: np.ndarray, eps: np.ndarray, beta: float = 1.0
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], tuple[Any, ...]]:
    """Compute ln w of every draw, for x (N, D) with the noise eps (N, k, Z).

    Returns
    -------
    log_weights : (N, k) array
        ln p(x | z) + beta (ln p(z) - ln q(z | x)), in nats.
    reconstruction, kl : (N k,) arrays
        -ln p(x | z) and KL(q(z | x) || N(0, I)), which are shown beside the bound and are no part of it.
    cache : tuple
    """
    x_k, eps_k = one_row_per_draw(x, eps)
    (mu, log_var), encoder_cache = network.encoder_forward(params, x_k)
    z, z_cache = reparameterize_forward(mu, log_var, eps_k)
    output, decoder_cache = network.decoder_forward(params, z)
    reconstruction, likelihood_cache = network.reconstruction_forward(params, x_k, output)
    log_ratio, ratio_cache = log_ratio_forward(z, log_var, eps_k)
    log_weights = (-reconstruction - beta * log_ratio).reshape(eps.shape[:2])
    kl, _ = kl_forward(mu, log_var)
    cache = params, beta, encoder_cache, z_cache, decoder_cache, likelihood_cache, ratio_cache
    return (log_weights, reconstruction, kl), cache


def log_weights_backward(
    network: VAENetwork, d_log_weights: np.ndarray, cache: tuple[Any, ...]
) -> Parameters:
    """Carry dL/dlog_weights (N, k) back to every parameter.

    Notes
    -----
    z is reached from ln p(x | z) and from the ratio, log_var from z and from the ratio.
    """
    params, beta, encoder_cache, z_cache, decoder_cache, likelihood_cache, ratio_cache = cache
    grads, d_log_weights = params.zeros_like(), d_log_weights.reshape(-1)
    d_output = network.reconstruction_backward(-d_log_weights, likelihood_cache, grads)
    dz = network.decoder_backward(d_output, decoder_cache, grads)
    dz_ratio, d_log_var_ratio = log_ratio_backward(-beta * d_log_weights, ratio_cache)
    d_mu, d_log_var = reparameterize_backward(dz + dz_ratio, z_cache)
    network.encoder_backward(d_mu, d_log_var + d_log_var_ratio, encoder_cache, grads)
    return grads


@dataclass(frozen=True, kw_only=True)
class MultiSampleVAENetwork(VAENetwork):
    """A VAE whose loss has k draws of z for each sample; the network itself is that of `VAENetwork`.

    Parameters
    ----------
    **architecture, beta
        Those of `VAENetwork`.
    objective : {"iwae", "elbo"}
        What is maximised: L_k of `importance_bound_forward`, or the ELBO with the reconstruction averaged
        over k draws and the KL in closed form.
    n_draws : int
        k, at least 1.

    Notes
    -----
    Averaging lowers the variance of the ELBO's gradient and leaves its expectation as it is. The bound L_k is
    another objective: it is tighter, and it lets q(z | x) be wrong where other draws make up for it. For
    beta other than 1, ln w = ln p(x | z) + beta (ln p(z) - ln q(z | x)), and L_k need not be a bound.

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
        if not is_count(self.n_draws):
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
        if self.objective == "elbo":
            return super().loss(params, *one_row_per_draw(x, eps), beta=beta)
        return self._iwae_forward(params, x, eps, beta)[0]

    def loss_and_grad(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> tuple[VAELoss, Parameters]:
        """Return the loss of x (N, D) with the noise eps (N, k, Z), and its gradient for every parameter."""
        if self.objective == "elbo":
            return super().loss_and_grad(params, *one_row_per_draw(x, eps), beta=beta)
        loss, d_log_weights, cache = self._iwae_forward(params, x, eps, beta)
        return loss, log_weights_backward(self, d_log_weights, cache)

    def _iwae_forward(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, beta: float | None
    ) -> tuple[VAELoss, np.ndarray, tuple[Any, ...]]:
        beta = float(self.beta if beta is None else beta)
        (log_weights, reconstruction, kl), cache = log_weights_forward(self, params, x, eps, beta)
        bound, shares = importance_bound_forward(log_weights)
        total, d_total = batch_mean(-bound)
        loss = VAELoss(total, batch_mean(reconstruction)[0], batch_mean(kl)[0])
        return loss, importance_bound_backward(-d_total, shares), cache


@dataclass(frozen=True, kw_only=True)
class FreeBitsVAENetwork(VAENetwork):
    """A VAE whose KL term is Σ_j max(free_bits, K_j), with K_j the batch's mean KL of latent dimension j.

    Parameters
    ----------
    **architecture, beta
        Those of `VAENetwork`.
    free_bits : float
        Nats per latent dimension, at least 0.

    Notes
    -----
    Early in training z tells the decoder little, and the KL term alone would pull every q(z | x) onto the
    prior, from where it is hard to leave. With free bits the first `free_bits` nats of every dimension cost
    nothing. The loss is larger than minus the ELBO where a dimension is below them, so it is still a bound.

    References
    ----------
    Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling (2016), Improved variational inference with
    inverse autoregressive flow, appendix C.8.
    """

    free_bits: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.free_bits) or not 0 <= self.free_bits < np.inf:
            raise ValueError(f"free_bits must be a number of at least 0, got {self.free_bits!r}")

    def loss(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> VAELoss:
        """Return the mean loss of x (N, D) with the noise eps (N, Z), without gradients.

        Its kl is the KL divergence; total has the KL term with free bits.
        """
        return self._free_bits_loss(*self.forward(params, x, eps), beta)[0]

    def loss_and_grad(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> tuple[VAELoss, Parameters]:
        """Return the loss of x (N, D) with the noise eps (N, Z), and its gradient for every parameter."""
        loss, gradients = self._free_bits_loss(*self.forward(params, x, eps), beta)
        return loss, self.backward(*gradients)

    def _free_bits_loss(
        self, terms: tuple[np.ndarray, np.ndarray], cache: tuple[Any, ...], beta: float | None
    ) -> tuple[VAELoss, tuple[Any, ...]]:
        """Return the loss, and the arguments of `backward`."""
        *before, (mu, log_var) = cache
        term, term_cache = free_bits_forward(mu, log_var, float(self.free_bits))
        loss, d_reconstruction, d_term = self._loss(terms[0], term, beta)
        return loss._replace(kl=batch_mean(terms[1])[0]), (d_reconstruction, d_term, (*before, term_cache))
