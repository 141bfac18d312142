"""What the laboratories that train models measure of each."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from npvae.estimators import VAE, Autoencoder
from npvae.estimators.diagnosis import PosteriorCollapseWarning
from npvae.study.jsonable import to_jsonable
from npvae.study.metrics.features import PrincipalFeatures
from npvae.study.metrics.frechet import frechet_distance
from npvae.study.posterior.information import active_units, kl_per_dimension
from npvae.study.sampling.samplers import draw_codes

N_SHOWN = 36  # samples in a picture


class Figures(NamedTuple):
    """Numbers of one trained model, on test images.

    Attributes
    ----------
    reconstruction : float
        Mean of -ln p(x | z) in nats, at the code of an AE and at the posterior mean of a VAE.
    kl : float
        Mean KL divergence from N(0, I) in nats; NaN for an AE.
    std : float
        Median standard deviation of q(z | x); 0 for an AE.
    code_spread : float
        Root mean square of the codes about their mean, per dimension; 1 for N(0, I).
    active_units : int
        Latent dimensions whose code varies with x.
    frechet : float
        Frechet distance between decoded draws from N(0, I) and training images, in principal components.
    """

    reconstruction: float
    kl: float
    std: float
    code_spread: float
    active_units: int
    frechet: float


@dataclass(frozen=True, eq=False)
class Case:
    """One trained model.

    Attributes
    ----------
    figures : Figures
    codes : (N, Z) array
        One draw of z for each test image, as the decoder meets them in training.
    samples : (36, D) array
        Decoded draws from N(0, I).
    history : dict of list
        Of training.
    """

    figures: Figures
    codes: np.ndarray
    samples: np.ndarray
    history: dict[str, list[float]]

    def numbers(self) -> dict[str, Any]:
        """Return the figures and the history in JSON's types."""
        return to_jsonable(self.figures) | {"history": to_jsonable(self.history)}


@dataclass(frozen=True, eq=False)
class CasesLaboratory:
    """What a laboratory measured that trains models of the same data.

    Attributes
    ----------
    cases : dict of Case
        By name, in the order of the picture.
    labels : (N,) array or None
        Classes of the test images.
    image_shape : (height, width) or None
    control : float
        Frechet distance of test images in place of samples.
    """

    cases: dict[str, Case]
    labels: np.ndarray | None
    image_shape: tuple[int, int] | None
    control: float

    def numbers(self) -> dict[str, Any]:
        """Return what was measured in JSON's types."""
        return {
            "control": self.control,
            "cases": {name: case.numbers() for name, case in self.cases.items()},
        }


def model_settings(n_epochs: int, seed: int, verbose: bool) -> dict[str, Any]:
    """Return the settings that all models of a laboratory share, and may change."""
    return {
        "hidden": (64,), "likelihood": "bernoulli", "batch_size": 32, "max_epochs": n_epochs, "tol": None,
        "learning_rate": 2e-3, "random_state": seed, "verbose": int(verbose),
    }  # fmt: skip


@contextmanager
def intended_collapse() -> Iterator[None]:
    """Keep `fit` from warning of posterior collapse, where a laboratory causes it and reports it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PosteriorCollapseWarning)
        yield


class Measurer:
    """Measures models of the same data.

    Parameters
    ----------
    X_train, X_test : (N, D) arrays in [0, 1]
    seed : int
    """

    def __init__(self, X_train: np.ndarray, X_test: np.ndarray, seed: int) -> None:
        self.X_train, self.X_test, self._seed = X_train, X_test, seed
        self._features = PrincipalFeatures.fit(X_train)
        self._real = self._features.transform(X_train)

    def control(self) -> float:
        """Return the Frechet distance of test images in place of samples."""
        return frechet_distance(self._features.transform(self.X_test), self._real)

    def measure(self, model: VAE | Autoencoder, codes: np.ndarray | None = None) -> Case:
        """Measure a fitted model.

        Parameters
        ----------
        model : VAE or Autoencoder
        codes : (N, Z) array, optional
            Of the test images, where the decoder is not trained with draws from q(z | x).

        Returns
        -------
        Case
        """
        rng = np.random.default_rng(self._seed)
        network, params, x = model.network_, model.params_, self.X_test
        if codes is None:
            codes = draw_codes(model, x, rng)
        kl = std = np.nan
        centres = model.transform(x)
        if isinstance(model, VAE):
            mu, log_var = model.encode(x)
            kl, std = float(kl_per_dimension(mu, log_var).sum()), float(np.median(np.exp(log_var / 2)))
        output, _ = network.decoder_forward(params, centres.astype(params.flat.dtype))
        reconstruction, _ = network.reconstruction_forward(params, x.astype(params.flat.dtype), output)
        samples = model.sample(len(self.X_train), random_state=self._seed)
        figures = Figures(
            reconstruction=float(reconstruction.mean()),
            kl=kl,
            std=0.0 if np.isnan(std) else std,
            code_spread=float(np.sqrt(codes.var(axis=0).mean())),
            active_units=int(active_units(centres).sum()),
            frechet=frechet_distance(self._features.transform(samples), self._real),
        )
        return Case(figures, codes, samples[:N_SHOWN], model.history_)
