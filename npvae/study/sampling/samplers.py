"""Samplers of latent points: the prior, and densities fitted to the codes of data.

A VAE is trained so that latent points can be drawn from N(0, I). An AE is not, but one can fit a density to
its codes after training and draw from that. `SAMPLERS` lists the samplers.

They are fitted to the result of `draw_codes`: for a VAE a draw from each q(z | x), not its mean. The means
have smaller variances than z, near 0 in dimensions that the VAE does not use.

To generate images: ``estimator.inverse_transform(sampler.draw(n_samples, rng))``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.core.gaussian import reparameterize_forward
from npvae.study.sampling.densities import (
    FittedGaussian,
    FittedMixture,
    ResampledCodes,
    Sampler,
    StandardNormal,
)

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel


@dataclass(frozen=True)
class SamplerKind:
    """A kind of sampler of latent points.

    Parameters
    ----------
    label : str
        Name in tables and pictures.
    fit : callable
        ``fit(codes, seed)`` returns a `Sampler` for codes (N, Z).
    means : bool
        Whether it is fitted to the codes from `transform` rather than to those from `draw_codes`.
    """

    label: str
    fit: Callable[[np.ndarray, int], Sampler]
    means: bool = False


#: By name, in the order of tables.
SAMPLERS = {
    "prior": SamplerKind("N(0, I)", lambda codes, seed: StandardNormal(codes.shape[1])),
    "diagonal": SamplerKind("diagonal Gaussian", lambda codes, seed: FittedGaussian.fit(codes, "diagonal")),
    "full": SamplerKind("full Gaussian", lambda codes, seed: FittedGaussian.fit(codes, "full")),
    "mixture": SamplerKind("mixture of 10", lambda codes, seed: _fit_mixture(codes, seed)),
    "aggregate": SamplerKind("aggregate posterior", lambda codes, seed: ResampledCodes.fit(codes)),
    "reconstructions": SamplerKind(
        "reconstructions", lambda codes, seed: ResampledCodes.fit(codes), means=True
    ),
}

#: Samplers for each kind of model. The aggregate posterior of an AE would be its codes, which are already
#: the sampler "reconstructions".
WAYS = {
    "AE": ("prior", "diagonal", "full", "mixture", "reconstructions"),
    "VAE": ("prior", "diagonal", "full", "mixture", "aggregate", "reconstructions"),
}


def _fit_mixture(codes: np.ndarray, seed: int) -> FittedMixture:
    """Fit a mixture of 10 components, or fewer if a collapsed model has fewer distinct codes."""
    return FittedMixture.fit(codes, min(10, len(np.unique(codes[:10_000], axis=0))), seed=seed)


def draw_codes(estimator: "LatentVariableModel", X: npt.ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Draw a latent point for each sample, as in training.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    X : (N, D) array
    rng : Generator
        Not used by an Autoencoder.

    Returns
    -------
    codes : (N, Z) array
        For a VAE one draw from each q(z | x), so together a sample of the aggregate posterior q(z). For an AE
        the codes themselves.

    Raises
    ------
    NotFittedError, ValueError
        As for the estimator's `transform`.
    """
    from npvae.estimators import VAE

    if not isinstance(estimator, VAE):
        return estimator.transform(X)
    mu, log_var = estimator.encode(X)
    eps = rng.standard_normal(mu.shape).astype(mu.dtype)
    z, _ = reparameterize_forward(mu, log_var, eps)
    return z
