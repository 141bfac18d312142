"""An AE and a VAE side by side: where their codes lie, and what comes out when they are sampled."""

from dataclasses import dataclass

import numpy as np

from npvae.core.gaussian import kl_forward
from npvae.data import Dataset, to_unit_interval
from npvae.estimators import VAE, Autoencoder
from npvae.study.features import PrincipalFeatures
from npvae.study.latent import CodeMoments, code_moments
from npvae.study.quality import SampleQuality, sample_quality
from npvae.study.reconstruction import ReconstructionError, reconstruction_error
from npvae.study.sampling import SAMPLERS, draw_codes

MOST_FITTED = 10_000  # images of which principal components are found
FEWEST_COMPARED = 10
MOST_COMPARED = 5000  # images of each kind; coverage is quadratic in their number
WAYS = {"AE": ("prior", "diagonal", "full", "mixture"), "VAE": ("prior",)}


@dataclass(frozen=True, eq=False)
class Samples:
    """Images drawn in one way from one model, and how good they are."""

    way: str  # a key of SAMPLERS
    label: str
    z: np.ndarray  # (n, Z)
    images: np.ndarray  # (n, D)
    quality: SampleQuality


@dataclass(frozen=True, eq=False)
class ModelStudy:
    """What was measured on one of the two models.

    Attributes
    ----------
    name : {"AE", "VAE"}
    estimator : Autoencoder or VAE
    codes : (N, Z) array
        Of the test images; for the VAE the posterior means.
    moments : CodeMoments
        Of z over the test images: for the AE of the codes, for the VAE of a draw from each q(z | x), as it is
        the draws that N(0, I) is asked of.
    reconstruction : ReconstructionError
        On the test images.
    test_loss : float
        In nats per sample: -ln p(x | code) of the AE, minus the ELBO of the VAE.
    kl : float
        Mean KL(q(z | x) || N(0, I)) over the test images, in nats; NaN for the AE.
    samples : dict
        From the name of a way to sample to what it gave.
    """

    name: str
    estimator: Autoencoder | VAE
    codes: np.ndarray
    moments: CodeMoments
    reconstruction: ReconstructionError
    test_loss: float
    kl: float
    samples: dict[str, Samples]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both studies, and how real training images fare in place of samples."""

    data: Dataset
    ae: ModelStudy
    vae: ModelStudy
    real: SampleQuality
    n_compared: int


def compare(
    data: Dataset, ae: Autoencoder, vae: VAE, *, n_samples: int | None = None, seed: int = 0
) -> Comparison:
    """Study a trained AE and a trained VAE on the same data.

    Parameters
    ----------
    data : Dataset
        The training part fits the distributions of codes and the principal components, the test part is what
        samples are compared with.
    ae : Autoencoder
    vae : VAE
        Fitted.
    n_samples : int, optional
        Images of each kind that are compared; by default as many as there are test images, at most 5000.
    seed : int
        Of all draws.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        `n_samples` is below 10 or larger than the test or the training set.
    """
    n = number_compared(data, n_samples)
    rng = np.random.default_rng(seed)
    X_real = _rows(data.X_test, n, rng)
    features = PrincipalFeatures.fit(_rows(data.X_train, min(len(data.X_train), MOST_FITTED), rng))
    real = sample_quality(features, X_real, _rows(data.X_train, n, rng))

    def study(name: str, estimator: Autoencoder | VAE) -> ModelStudy:
        train_codes = estimator.transform(data.X_train)
        samples = {}
        for way in WAYS[name]:
            kind = SAMPLERS[way]
            z = kind.fit(train_codes, seed).draw(n, np.random.default_rng(seed))
            images = estimator.inverse_transform(z)
            samples[way] = Samples(way, kind.label, z, images, sample_quality(features, X_real, images))
        codes = estimator.transform(data.X_test)
        moments = code_moments(draw_codes(estimator, data.X_test, np.random.default_rng(seed)))
        kl = float("nan")
        if isinstance(estimator, VAE):
            kl = float(kl_forward(*estimator.encode(data.X_test))[0].mean())
        return ModelStudy(
            name,
            estimator,
            codes,
            moments,
            reconstruction_error(estimator, data.X_test),
            -estimator.score(data.X_test),
            kl,
            samples,
        )

    return Comparison(data, study("AE", ae), study("VAE", vae), real, n)


def number_compared(data: Dataset, n_samples: int | None = None) -> int:
    """Return how many images of each kind `compare` will use; raises as it does."""
    most = min(len(data.X_test), len(data.X_train), MOST_COMPARED)
    n = most if n_samples is None else n_samples
    if most < FEWEST_COMPARED:
        raise ValueError(
            f"a comparison needs at least {FEWEST_COMPARED} training and as many test samples; "
            f"{data.name} has {len(data.X_train)} and {len(data.X_test)}"
        )
    if all((rows == data.X_train[0]).all() for rows in (data.X_train, data.X_test)):
        raise ValueError(f"{data.name}: all samples are the same, so there is nothing to compare")
    if not FEWEST_COMPARED <= n <= most:
        raise ValueError(f"n_samples must be from {FEWEST_COMPARED} to {most} for this data, got {n}")
    return n


def _rows(X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    rows = X[np.sort(rng.choice(len(X), n, replace=False))]
    return to_unit_interval(rows) if rows.dtype == np.uint8 else rows
