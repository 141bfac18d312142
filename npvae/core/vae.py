"""The variational autoencoder: x -> q(z | x) -> z -> p(x | z), trained on the ELBO."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import Architecture, batch_mean, is_number, write_layers
from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.parameters import Parameters


class VAELoss(NamedTuple):
    """Means over the batch, in nats per sample: total = reconstruction + beta * kl."""

    total: Any
    reconstruction: Any
    kl: Any


class VAECache(NamedTuple):
    """What each stage of the forward pass keeps, in order."""

    params: Parameters
    encoder: Any
    reparameterize: Any
    decoder: Any
    reconstruction: Any
    kl: Any


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

    The first term is estimated with one draw z = mu + exp(log_var / 2) * eps, the second is exact. The KL
    term pulls every q(z | x) towards N(0, I), and the noise forbids gaps between them: so the decoder has
    learned to decode what N(0, I) draws.

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

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of all parameters."""
        heads = self.head_shapes("mu") | self.head_shapes("log_var")
        return self.encoder_shapes() | heads | self.decoder_shapes()

    def noise_shape(self, n: int) -> tuple[int, ...]:
        """Return the shape (N, Z) of the noise for n samples."""
        return n, self.latent_dim

    def encoder_forward(self, params: Parameters, x: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
        """Compute mu and log_var, (N, Z) each, of q(z | x) for x (N, D)."""
        h, hidden = mlp_forward(x, self.hidden_layers("encoder", params), self.get_activation())
        mu, mu_cache = dense_forward(h, params["mu.W"], params["mu.b"])
        log_var, log_var_cache = dense_forward(h, params["log_var.W"], params["log_var.b"])
        return (mu, log_var), (hidden, mu_cache, log_var_cache)

    def encoder_backward(
        self, d_mu: np.ndarray, d_log_var: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry d_mu and d_log_var (N, Z) back to dh (N, H); write the encoder's gradients into `grads`."""
        hidden, mu_cache, log_var_cache = cache
        dh_mu, grads["mu.W"], grads["mu.b"] = dense_backward(d_mu, mu_cache)
        dh_log_var, grads["log_var.W"], grads["log_var.b"] = dense_backward(d_log_var, log_var_cache)
        dh = dh_mu + dh_log_var  # both heads read h
        _, gradients = mlp_backward(dh, hidden)
        write_layers("encoder", gradients, grads)
        return dh

    def encode(self, params: Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mu and log_var, (N, Z) each, of q(z | x) for x (N, D)."""
        return self.encoder_forward(params, x)[0]

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
        (mu, log_var), encoder = self.encoder_forward(params, x)
        z, reparameterize = reparameterize_forward(mu, log_var, eps)  # z = mu + exp(log_var / 2) * eps
        output, decoder = self.decoder_forward(params, z)
        reconstruction, likelihood = self.reconstruction_forward(params, x, output)  # -ln p(x | z)
        kl, kl_cache = kl_forward(mu, log_var)  # KL(q(z | x) || N(0, I))
        return (reconstruction, kl), VAECache(params, encoder, reparameterize, decoder, likelihood, kl_cache)

    def backward(self, d_reconstruction: np.ndarray, d_kl: np.ndarray, cache: VAECache) -> VAEGradients:
        """Carry the gradients of the two terms, (N,) each, back to every parameter.

        Notes
        -----
        Two paths reach mu and log_var: one from the reconstruction, back through the decoder and z, and one
        from the KL term, which never meets the decoder. Where paths join, their gradients add.
        """
        grads = cache.params.zeros_like()
        d_output = self.reconstruction_backward(d_reconstruction, cache.reconstruction, grads)
        dz = self.decoder_backward(d_output, cache.decoder, grads)
        d_mu, d_log_var = reparameterize_backward(dz, cache.reparameterize)
        d_mu_kl, d_log_var_kl = kl_backward(d_kl, cache.kl)
        d_mu = d_mu + d_mu_kl
        d_log_var = d_log_var + d_log_var_kl
        dh = self.encoder_backward(d_mu, d_log_var, cache.encoder, grads)
        return VAEGradients(grads, d_output, dz, d_mu, d_log_var, dh)

    def loss(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> VAELoss:
        """Return the mean loss of x (N, D) with the noise eps (N, Z), without gradients."""
        (reconstruction, kl), _ = self.forward(params, x, eps)
        return self._loss(reconstruction, kl, beta)[0]

    def loss_and_grad(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray, *, beta: float | None = None
    ) -> tuple[VAELoss, Parameters]:
        """Return the mean loss of x (N, D) with the noise eps (N, Z), and its gradient for every parameter.

        `beta` takes the place of the network's own, for warm-up.
        """
        (reconstruction, kl), cache = self.forward(params, x, eps)
        loss, d_reconstruction, d_kl = self._loss(reconstruction, kl, beta)
        return loss, self.backward(d_reconstruction, d_kl, cache).params

    def _loss(
        self, reconstruction: np.ndarray, kl: np.ndarray, beta: float | None
    ) -> tuple[VAELoss, np.ndarray, np.ndarray]:
        beta = float(self.beta if beta is None else beta)  # a NumPy float64 would widen float32
        mean_reconstruction, d_reconstruction = batch_mean(reconstruction)
        mean_kl, d_kl = batch_mean(kl)
        total = mean_reconstruction + beta * mean_kl
        return VAELoss(total, mean_reconstruction, mean_kl), d_reconstruction, beta * d_kl
