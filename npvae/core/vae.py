"""The variational autoencoder: x -> q(z | x) -> z -> p(x | z), trained on the ELBO."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.architecture import Architecture, batch_mean, is_number, write_layers
from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward
from npvae.core.layers import dense_backward, dense_forward, mlp_backward, mlp_forward
from npvae.core.parameters import Parameters


class VAELoss(NamedTuple):
    """Means over the batch, in nats per sample. For the ELBO, total = reconstruction + beta * kl."""

    total: Any
    reconstruction: Any
    kl: Any


@dataclass(frozen=True, kw_only=True)
class VAENetwork(Architecture):
    """A variational autoencoder.

    Parameters
    ----------
    **architecture
        Those of `Architecture`, whose decoder and reconstruction term are used here.
    beta : float, default=1.0
        Weight of the KL term. For 1 (or more), minus the loss is on average a lower bound of ln p(x): with 1
        it is the ELBO, the tightest.

    Notes
    -----
    ln p(x) >= E_q[ln p(x | z)] - KL(q(z | x) || p(z))
    with the prior p(z) = N(0, I) and the posterior q(z | x) = N(mu, diag(exp(log_var))).

    The first term is estimated with one draw z = mu + exp(log_var / 2) * eps, the second is exact. The KL
    term pulls every q(z | x) towards N(0, I), and the noise makes the decoder give similar images for
    similar z. Together they train the decoder where N(0, I) draws.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, equation 10.
    Higgins et al. (2017), beta-VAE, equation 4.
    """

    beta: float = 1.0
    objective, n_draws = "elbo", 1  # `objectives` has another objective, and more draws of z
    free_bits = 0.0  # `free_bits` has another KL term

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
        h, hidden_cache = mlp_forward(x, self.hidden_layers("encoder", params), self.get_activation())
        mu, mu_cache = dense_forward(h, params["mu.W"], params["mu.b"])
        log_var, log_var_cache = dense_forward(h, params["log_var.W"], params["log_var.b"])
        return (mu, log_var), (hidden_cache, mu_cache, log_var_cache)

    def encoder_backward(
        self, d_mu: np.ndarray, d_log_var: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry d_mu and d_log_var (N, Z) back to dh (N, H); write the encoder's gradients into `grads`."""
        hidden_cache, mu_cache, log_var_cache = cache
        dh_mu, grads["mu.W"], grads["mu.b"] = dense_backward(d_mu, mu_cache)
        dh_log_var, grads["log_var.W"], grads["log_var.b"] = dense_backward(d_log_var, log_var_cache)
        dh = dh_mu + dh_log_var  # both heads read h
        _, gradients = mlp_backward(dh, hidden_cache)
        write_layers("encoder", gradients, grads)
        return dh

    def encode(self, params: Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mu and log_var, (N, Z) each, of q(z | x) for x (N, D)."""
        return self.encoder_forward(params, x)[0]

    def forward(
        self, params: Parameters, x: np.ndarray, eps: np.ndarray
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[Any, ...]]:
        """Compute the two terms of the loss of every sample of x (N, D), with eps (N, Z) from N(0, I).

        Returns
        -------
        reconstruction, kl : (N,) arrays
            -ln p(x | z) and KL(q(z | x) || N(0, I)), in nats. Minus their sum estimates the ELBO with one z.
        cache : tuple
        """
        (mu, log_var), encoder_cache = self.encoder_forward(params, x)
        z, z_cache = reparameterize_forward(mu, log_var, eps)  # z = mu + exp(log_var / 2) * eps
        output, decoder_cache = self.decoder_forward(params, z)
        reconstruction, likelihood_cache = self.reconstruction_forward(params, x, output)  # -ln p(x | z)
        kl, kl_cache = kl_forward(mu, log_var)  # Σ (mu² + exp(log_var) - 1 - log_var) / 2
        cache = params, encoder_cache, z_cache, decoder_cache, likelihood_cache, kl_cache
        return (reconstruction, kl), cache

    def backward(self, d_reconstruction: np.ndarray, d_kl: np.ndarray, cache: tuple[Any, ...]) -> Parameters:
        """Carry the gradients of the two terms, (N,) each, back to every parameter.

        Notes
        -----
        Two paths reach mu and log_var: one from the reconstruction, back through the decoder and z, and one
        from the KL term, which never meets the decoder. Where paths join, their gradients add.
        """
        params, encoder_cache, z_cache, decoder_cache, likelihood_cache, kl_cache = cache
        grads = params.zeros_like()
        d_output = self.reconstruction_backward(d_reconstruction, likelihood_cache, grads)
        dz = self.decoder_backward(d_output, decoder_cache, grads)
        d_mu, d_log_var = reparameterize_backward(dz, z_cache)  # dz,  dz * eps * exp(log_var / 2) / 2
        d_mu_kl, d_log_var_kl = kl_backward(d_kl, kl_cache)  # d_kl * mu,  d_kl * (exp(log_var) - 1) / 2
        self.encoder_backward(d_mu + d_mu_kl, d_log_var + d_log_var_kl, encoder_cache, grads)
        return grads

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
        return loss, self.backward(d_reconstruction, d_kl, cache)

    def _loss(
        self, reconstruction: np.ndarray, kl: np.ndarray, beta: float | None
    ) -> tuple[VAELoss, np.ndarray, np.ndarray]:
        beta = float(self.beta if beta is None else beta)  # a NumPy float64 would widen float32
        mean_reconstruction, d_reconstruction = batch_mean(reconstruction)
        mean_kl, d_kl = batch_mean(kl)
        total = mean_reconstruction + beta * mean_kl
        return VAELoss(total, mean_reconstruction, mean_kl), d_reconstruction, beta * d_kl
