"""Ways to draw latent points: from the prior, and from densities fitted to the codes of data.

A VAE is trained so that N(0, I) is the right place to draw from. An AE is not; but its codes have some
distribution, and one may fit a density to them afterwards and draw from that. `SAMPLERS` lists the ways.

They are fitted to what `draw_codes` returns: for a VAE a draw from each q(z | x), not its mean. The means
spread less than z does, and hardly at all in a dimension that the VAE does not use.
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
    """One way to draw latent points.

    Parameters
    ----------
    label : str
        For tables and pictures.
    fit : callable
        ``fit(codes, seed)`` returns a `Sampler` for codes (N, Z).
    means : bool
        The codes to fit to are those that `transform` returns, not draws of `draw_codes`.
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

#: Those that make sense for an AE and for a VAE. An AE's aggregate posterior is its codes, whose decoded
#: draws are the reconstructions.
WAYS = {
    "AE": ("prior", "diagonal", "full", "mixture", "reconstructions"),
    "VAE": ("prior", "diagonal", "full", "mixture", "aggregate", "reconstructions"),
}


def _fit_mixture(codes: np.ndarray, seed: int) -> FittedMixture:
    """Fit a mixture of 10, or of fewer where a collapsed model has fewer codes to fit to."""
    return FittedMixture.fit(codes, min(10, len(np.unique(codes[:10_000], axis=0))), seed=seed)


def draw_codes(estimator: "LatentVariableModel", X: npt.ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """Draw a latent point for each sample, as the decoder meets them in training.

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
        For a VAE one draw from each q(z | x), together draws from the aggregate posterior q(z); for an AE the
        codes themselves.

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


def draw_images(
    estimator: "LatentVariableModel", sampler: Sampler, n_samples: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw latent points and decode them.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    sampler : Sampler
        Over the estimator's latent space.
    n_samples : int
    rng : Generator

    Returns
    -------
    X : (n_samples, D) array, float32
        E[x | z] of each draw, in the units of the training data; pixels in [0, 1].

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted; `n_samples` is not a positive integer, or the sampler has another latent
        dimension.
    """
    return estimator.inverse_transform(sampler.draw(n_samples, rng))
