"""The variational autoencoder: x -> q(z | x) -> z -> p(x | z), trained on the ELBO."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import Architecture, DecoderCache, batch_mean, is_number
from npvae.core.dense import DenseCache, dense_backward, dense_forward
from npvae.core.gaussian import (
    KLCache,
    ReparameterizeCache,
    kl_backward,
    kl_forward,
    reparameterize_backward,
    reparameterize_forward,
)
from npvae.core.mlp import LayerCache
from npvae.core.parameters import Block, Parameters


class VAELoss(NamedTuple):
    """Means over the batch, in nats per sample: total = reconstruction + beta * kl."""

    total: Any
    reconstruction: Any
    kl: Any


class VAECache(NamedTuple):
    """What each stage of the forward pass keeps, in order."""

    params: Parameters
    hidden: tuple[LayerCache, ...]
    heads: DenseCache
    reparameterize: ReparameterizeCache
    decoder: DecoderCache
    reconstruction: Any
    kl: KLCache


class VAEGradients(NamedTuple):
    """The gradients of the parameters, and those met on the way to them."""

    params: Parameters
    output: np.ndarray  # (N, D)
    z: np.ndarray  # (N, Z)
    mu: np.ndarray  # (N, Z)
    log_var: np.ndarray  # (N, Z)
    hidden: np.ndarray  # (N, H)


@dataclass(frozen=True, kw_only=True)
class VAENetwork(Architecture):
    """A variational autoencoder.

    Parameters
    ----------
    **architecture
        Those of `Architecture`.
    beta : float, default=1.0
        Weight of the KL term. 1 makes minus the loss a lower bound of ln p(x), the ELBO.

    Notes
    -----
    ln p(x) >= E_q[ln p(x | z)] - KL(q(z | x) || p(z))
    with the prior p(z) = N(0, I) and the posterior q(z | x) = N(mu, diag(exp(log_var))).

    The first term is estimated with one draw z = mu + exp(log_var / 2) * eps, the second is exact.
    The KL term pulls every q(z | x) towards N(0, I), and the noise forbids gaps between them:
    so what N(0, I) draws, the decoder has learned to decode.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, equation 10.
    Higgins et al. (2017), beta-VAE, equation 4.
    """

    beta: float = 1.0
    objective = "elbo"  # what minus the loss is; for others, and for more draws, see `multi_sample`
    n_draws = 1  # of z for each sample

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.beta) or not 0 <= self.beta < np.inf:
            raise ValueError(f"beta must be a number of at least 0, got {self.beta!r}")

    def blocks(self) -> list[Block]:
        """Return the layout of the parameters; the heads mu and log_var lie side by side."""
        heads = [
            Block(("mu.W", "log_var.W"), (self.code_width(), 2 * self.latent_dim)),
            Block(("mu.b", "log_var.b"), (2 * self.latent_dim,)),
        ]
        return [*self.encoder_blocks(), *heads, *self.decoder_blocks()]

    def noise_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape (N, Z) of the noise for n samples."""
        return n, self.latent_dim

    def heads_forward(self, params: Parameters, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, DenseCache]:
        """Compute mu and log_var, (N, Z) each, from h (N, H), in one product."""
        W, b = params.block("mu.W", "log_var.W"), params.block("mu.b", "log_var.b")
        heads, cache = dense_forward(h, W, b)  # (N, 2 Z)
        return heads[:, : self.latent_dim], heads[:, self.latent_dim :], cache

    def heads_backward(
        self, d_mu: np.ndarray, d_log_var: np.ndarray, cache: DenseCache, grads: Parameters
    ) -> np.ndarray:
        """Carry d_mu and d_log_var (N, Z) back to dh (N, H); write the heads' gradients into `grads`."""
        dW, db = grads.block("mu.W", "log_var.W"), grads.block("mu.b", "log_var.b")
        dh, _, _ = dense_backward(np.concatenate([d_mu, d_log_var], axis=1), cache, out=(dW, db))
        return dh

    def encode(self, params: Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mu and log_var, (N, Z) each, of q(z | x) for x (N, D)."""
        h, _ = self.hidden_forward(params, x)
        mu, log_var, _ = self.heads_forward(params, h)
        return mu, log_var

    def forward(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray], VAECache]:
        """Compute the two terms of the loss of every sample.

        Parameters
        ----------
        params : Parameters
        x : (N, D) array
        eps : (N, Z) array
            Drawn from N(0, I).

        Returns
        -------
        reconstruction, kl : (N,) arrays
            -ln p(x | z) and KL(q(z | x) || N(0, I)), in nats. Minus their sum estimates the ELBO with one z.
        cache : VAECache
        """
        h, hidden = self.hidden_forward(params, x)
        mu, log_var, heads = self.heads_forward(params, h)
        z, reparameterize = reparameterize_forward(mu, log_var, eps)
        output, decoder = self.decoder_forward(params, z)
        reconstruction, likelihood = self.reconstruction_forward(params, x, output)
        kl, kl_cache = kl_forward(mu, log_var)
        cache = VAECache(params, hidden, heads, reparameterize, decoder, likelihood, kl_cache)
        return (reconstruction, kl), cache

    def backward(
        self,
        d_reconstruction: np.ndarray,
        d_kl: np.ndarray,
        cache: VAECache,
        *,
        out: Parameters | None = None,
    ) -> VAEGradients:
        """Carry the gradients of the two terms, (N,) each, back to every parameter.

        `out`, if given, is overwritten with the parameters' gradients.

        Notes
        -----
        Two paths reach mu and log_var: one from the reconstruction, back through the
        decoder and z, and one from the KL term, which never meets the decoder. Where
        paths join, their gradients add.
        """
        grads = out if out is not None else cache.params.zeros_like()
        d_output = self.reconstruction_backward(d_reconstruction, cache.reconstruction, grads)
        dz = self.decoder_backward(d_output, cache.decoder, grads)
        d_mu, d_log_var = reparameterize_backward(dz, cache.reparameterize)
        d_mu_kl, d_log_var_kl = kl_backward(d_kl, cache.kl)
        d_mu = d_mu + d_mu_kl
        d_log_var = d_log_var + d_log_var_kl
        dh = self.heads_backward(d_mu, d_log_var, cache.heads, grads)
        self.hidden_backward(dh, cache.hidden, grads)
        return VAEGradients(grads, d_output, dz, d_mu, d_log_var, dh)

    def loss(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> VAELoss:
        """Return the mean loss of x (N, D) with the noise eps (N, Z), without gradients."""
        (reconstruction, kl), _ = self.forward(params, x, eps)
        return self._loss(reconstruction, kl, beta)[0]

    def loss_and_grad(
        self,
        params: Parameters,
        x: np.ndarray,
        eps: np.ndarray,
        *,
        beta: float | None = None,
        out: Parameters | None = None,
    ) -> tuple[VAELoss, Parameters]:
        """Return the mean loss of x (N, D) with the noise eps (N, Z), and its gradient for every parameter.

        `beta` takes the place of the network's own, for warm-up; for `out` see `backward`.
        """
        (reconstruction, kl), cache = self.forward(params, x, eps)
        loss, d_reconstruction, d_kl = self._loss(reconstruction, kl, beta)
        return loss, self.backward(d_reconstruction, d_kl, cache, out=out).params

    def _loss(
        self, reconstruction: np.ndarray, kl: np.ndarray, beta: float | None
    ) -> tuple[VAELoss, np.ndarray, np.ndarray]:
        beta = float(self.beta if beta is None else beta)  # a NumPy float64 would widen float32
        mean_reconstruction, d_reconstruction = batch_mean(reconstruction)
        mean_kl, d_kl = batch_mean(kl)
        total = mean_reconstruction + beta * mean_kl
        return VAELoss(total, mean_reconstruction, mean_kl), d_reconstruction, beta * d_kl
