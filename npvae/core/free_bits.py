"""A VAE of which every latent dimension may have some KL for nothing, against posterior collapse."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.core.architecture import batch_mean, is_number
from npvae.core.gaussian import free_bits_forward
from npvae.core.parameters import Parameters
from npvae.core.vae import VAELoss, VAENetwork


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
        term, term_cache = free_bits_forward(mu, log_var, self.free_bits)
        loss, d_reconstruction, d_term = self._loss(terms[0], term, beta)
        return loss._replace(kl=batch_mean(terms[1])[0]), (d_reconstruction, d_term, (*before, term_cache))
