"""From an AE to a VAE in four steps, each of which mends what the one before leaves wrong."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset
from npvae.estimators import VAE, Autoencoder
from npvae.study.laboratories.measuring import CasesLaboratory, Measurer, model_settings

STEPS = ("autoencoder", "+ noise", "+ pull", "+ learned sigma")


@dataclass(frozen=True, kw_only=True)
class UnitNoiseVAENetwork(VAENetwork):
    """A VAE whose q(z | x) is N(mu, I): the encoder says where, but not how sure it is.

    Notes
    -----
    With log_var = 0 the KL term is mu² / 2 for each dimension. Its head stays unused: no gradient reaches it.
    """

    def encoder_forward(self, params: Parameters, x: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
        """Compute mu (N, Z); log_var is 0."""
        (mu, log_var), cache = super().encoder_forward(params, x)
        return (mu, np.zeros_like(log_var)), cache

    def encoder_backward(
        self, d_mu: np.ndarray, d_log_var: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry d_mu (N, Z) back to dh (N, H); log_var is a constant."""
        return super().encoder_backward(d_mu, np.zeros_like(d_log_var), cache, grads)


class UnitNoiseVAE(VAE):
    """`VAE` with a `UnitNoiseVAENetwork`; the parameters are the same."""

    def _make_network(self, n_features: int) -> VAENetwork:
        return UnitNoiseVAENetwork(**dataclasses.asdict(super()._make_network(n_features)))


def run_steps(
    data: Dataset,
    *,
    n_epochs: int = 60,
    seed: int = 0,
    verbose: bool = False,
) -> CasesLaboratory:
    """Train the four models of two latent dimensions.

    Parameters
    ----------
    data : Dataset
        In [0, 1].
    n_epochs, seed : int
    verbose : bool
        Show the progress of training on stderr.

    Returns
    -------
    CasesLaboratory
        Its cases have the names in `STEPS`.

    Notes
    -----
    1. The autoencoder: z = code(x). Nothing says where codes are.
    2. Noise: z = mu + eps, eps ~ N(0, I), and the same loss. A ball of radius about 1 around every code now
       has to be decoded to that image. Nothing keeps the balls from moving apart until they do not meet.
    3. Pull: mu² / 2 for each dimension is added, which is KL(N(mu, I) || N(0, I)). It holds the codes near
       the origin, so the balls have to share the space; but all are as wide as the prior itself.
    4. Learned sigma: the encoder says for each image and dimension how wide its ball is, and the KL term
       becomes (mu² + sigma² - 1 - ln sigma²) / 2. This is the VAE.
    """
    settings = model_settings(n_epochs, seed, verbose)
    models: list[VAE | Autoencoder] = [
        Autoencoder(2, **settings),
        UnitNoiseVAE(2, beta=0.0, **settings),
        UnitNoiseVAE(2, **settings),
        VAE(2, **settings),
    ]
    measurer = Measurer(data.X_train, data.X_test, seed)
    cases = {
        name: measurer.measure(model.fit(data.X_train)) for name, model in zip(STEPS, models, strict=True)
    }
    return CasesLaboratory(cases, data.y_test, data.image_shape, measurer.control())
