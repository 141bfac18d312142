"""Posterior collapse: four causes, and what warm-up and free bits do about each.

There are two kinds. Where a code costs more nats than it saves, collapse is the optimum of the loss, and a
cure that does not change the model can only make the loss worse. Where training gets stuck at the prior
although codes would pay, a cure finds them.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.core.objectives import FreeBitsVAENetwork
from npvae.core.parameters import Parameters
from npvae.core.vae import VAENetwork
from npvae.data import Dataset
from npvae.estimators import VAE
from npvae.estimators.diagnosis import LEAST_KL
from npvae.study.jsonable import to_jsonable
from npvae.study.laboratories.measuring import intended_collapse, model_settings
from npvae.study.posterior.information import kl_per_dimension

FREE_BITS = 0.5  # nats per latent dimension
LATENT_DIM = 5

CURES = ("nothing", "warm-up", "free bits")


@dataclass(frozen=True, kw_only=True)
class AutoregressiveNetwork(FreeBitsVAENetwork):
    """A VAE whose decoder also sees, for every pixel, the ones before: p(x | z) = Π_d p(x_d | x_<d, z).

    Notes
    -----
    The output becomes output + x A with A strictly upper triangular, so that pixel d is predicted from the
    decoder and from pixels 0 .. d - 1. It is a distribution of x, by the chain rule of probability. With
    L the loss, dA = xᵀ d_output above the diagonal, and 0 elsewhere. In so far as pixels can be predicted
    from each other, z is not needed, and the KL term makes it cost.

    References
    ----------
    Bowman et al. (2016), Generating sentences from a continuous space, section 3.1.
    Chen et al. (2017), Variational lossy autoencoder, section 2.
    """

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of all parameters."""
        return super().shapes() | {"autoregressive.A": (self.n_features, self.n_features)}

    def reconstruction_forward(
        self, params: Parameters, x: np.ndarray, output: np.ndarray
    ) -> tuple[np.ndarray, Any]:
        """Compute -ln p(x | z) (N,), in nats, of data x (N, D) from the decoder's output (N, D)."""
        reconstruction, cache = super().reconstruction_forward(
            params, x, output + x @ np.triu(params["autoregressive.A"], 1)
        )
        return reconstruction, (x, cache)

    def reconstruction_backward(
        self, d_reconstruction: np.ndarray, cache: Any, grads: Parameters
    ) -> np.ndarray:
        """Carry dL/dreconstruction (N,) back to the output (N, D), and to A."""
        x, before = cache
        d_output = super().reconstruction_backward(d_reconstruction, before, grads)
        grads["autoregressive.A"] = np.triu(x.T @ d_output, 1)
        return d_output


class AutoregressiveVAE(VAE):
    """`VAE` with an `AutoregressiveNetwork`, to train and to score; it cannot sample pixel by pixel."""

    def _make_network(self, n_features: int) -> VAENetwork:
        return AutoregressiveNetwork(**dataclasses.asdict(super()._make_network(n_features)))


#: By name: the class, and what differs from a VAE that does not collapse.
CAUSES: dict[str, tuple[type[VAE], dict[str, Any]]] = {
    "none": (VAE, {}),
    "noise variance 1": (VAE, {"likelihood": "gaussian", "noise_variance": 1.0}),
    "beta = 10": (VAE, {"beta": 10.0}),
    "strong decoder": (AutoregressiveVAE, {}),
    "five hidden layers": (VAE, {"hidden": (64,) * 5}),
}


class Outcome(NamedTuple):
    """One trained model, on test images with one draw of z each, in nats per image.

    Attributes
    ----------
    reconstruction : float
        Mean of -ln p(x | z).
    kl : float
        Mean KL divergence.
    negative_elbo : float
        Their sum, whatever beta and free bits it was trained with. Comparable for one cause only: others have
        another likelihood.
    loss : float
        reconstruction + beta * kl, without free bits: what is to be minimised.
    used_units : int
        Latent dimensions with a mean KL of at least 0.01 nats.
    kl_per_dimension : (Z,) array
    kl_history : list of float
        Mean KL of every epoch of training.
    """

    reconstruction: float
    kl: float
    negative_elbo: float
    loss: float
    used_units: int
    kl_per_dimension: np.ndarray
    kl_history: list[float]


@dataclass(frozen=True, eq=False)
class CollapseLaboratory:
    """What was measured.

    Attributes
    ----------
    outcomes : dict of dict of Outcome
        By cause and cure.
    warmup_epochs : int
    """

    outcomes: dict[str, dict[str, Outcome]]
    warmup_epochs: int

    def numbers(self) -> dict[str, Any]:
        """Return what was measured in JSON's types."""
        return to_jsonable({"outcomes": self.outcomes, "warmup_epochs": self.warmup_epochs})


def run_collapse(
    data: Dataset,
    *,
    causes: tuple[str, ...] = tuple(CAUSES),
    n_epochs: int = 60,
    seed: int = 0,
    verbose: bool = False,
) -> CollapseLaboratory:
    """Train with every cause, and with every cure of it.

    Parameters
    ----------
    data : Dataset
        In [0, 1].
    causes : tuple of str
        Keys of `CAUSES`.
    n_epochs : int
        Half of them are warm-up, where that is the cure.
    seed : int
    verbose : bool
        Show the progress of training on stderr.

    Returns
    -------
    CollapseLaboratory

    Notes
    -----
    Noise variance and beta: a linear VAE uses a direction of the data only if its variance exceeds beta times
    the noise variance (Lucas et al. 2019, section 4; `npvae.estimators.diagnosis`). A strong decoder:
    `AutoregressiveNetwork`. Many layers: early in training the output hardly depends on z, so nothing but the
    KL term reaches the encoder, and it ends at the prior, from where the decoder learns to ignore z.

    References
    ----------
    Bowman et al. (2016), section 3.1. Kingma et al. (2016), appendix C.8. Lucas, Tucker, Grosse & Norouzi
    (2019), Don't blame the ELBO! A linear VAE perspective on posterior collapse.
    """
    warmup = n_epochs // 2
    cures: dict[str, dict[str, Any]] = {
        "nothing": {},
        "warm-up": {"kl_warmup_epochs": warmup},
        "free bits": {"free_bits": FREE_BITS},
    }
    settings = model_settings(n_epochs, seed, verbose)
    outcomes: dict[str, dict[str, Outcome]] = {}
    for cause in causes:
        estimator, of_cause = CAUSES[cause]
        for cure in CURES:
            with intended_collapse():
                vae = estimator(LATENT_DIM, **settings | of_cause | cures[cure]).fit(data.X_train)
            outcomes.setdefault(cause, {})[cure] = _outcome(vae, data.X_test, seed)
    return CollapseLaboratory(outcomes, warmup)


def _outcome(vae: VAE, X: np.ndarray, seed: int) -> Outcome:
    network, params = vae.network_, vae.params_
    eps = np.random.default_rng(seed).standard_normal(network.noise_shape(len(X)), dtype=np.float32)
    loss = network.loss(params, X.astype(np.float32), eps)
    of_dimensions = kl_per_dimension(*vae.encode(X))
    return Outcome(
        reconstruction=float(loss.reconstruction),
        kl=float(loss.kl),
        negative_elbo=float(loss.reconstruction + loss.kl),
        loss=float(loss.reconstruction + network.beta * loss.kl),
        used_units=int(np.sum(of_dimensions >= LEAST_KL)),
        kl_per_dimension=of_dimensions,
        kl_history=vae.history_["kl"],
    )
