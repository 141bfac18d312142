"""How well a model gives back what it was given."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.data.scaling import as_floats, check_unit_interval

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel

_BLOCK = 1024  # rows worked on at once


@dataclass(frozen=True)
class ReconstructionError:
    """Means over samples; smaller is better.

    Parameters
    ----------
    squared_error : float
        Summed over the features of a sample, in the data's units squared; pixels in [0, 1].
    negative_log_likelihood : float
        -ln p(x | z) in nats, with z the code; for a VAE the posterior mean.
    n_samples : int
    """

    squared_error: float
    negative_log_likelihood: float
    n_samples: int


def reconstruction_error(estimator: "LatentVariableModel", X: npt.ArrayLike) -> ReconstructionError:
    """Measure how well X is reconstructed from its codes.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    X : (N, D) array
        Data that the training has not seen.

    Returns
    -------
    ReconstructionError

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted; X is not finite, has another width, or lies outside of [0, 1] where the
        likelihood is Bernoulli's.

    Notes
    -----
    With x' = E[x | z = code(x)], the squared error is the mean over samples of sum_d (x_d - x'_d)^2. It
    depends on the images alone, so it compares an AE with a VAE, whatever their likelihoods. -ln p(x | z)
    compares models of one likelihood with one noise variance. Cost: one pass through the network.

    Trap: a VAE is trained to reconstruct from draws of z, and this measures at the posterior mean, as
    `reconstruct` does. So -ln p(x | z) is mostly below the reconstruction term of its loss here. And it says
    nothing about ln p(x): of that, `score` is a bound.
    """
    codes = estimator.transform(X)
    rows = np.asarray(X)
    network, params = estimator.network_, estimator.params_.astype(codes.dtype)
    squares, nats = [], []
    for start in range(0, len(codes), _BLOCK):
        z = codes[start : start + _BLOCK]
        x = as_floats(rows[start : start + _BLOCK], codes.dtype)
        if network.likelihood == "bernoulli":
            check_unit_interval(x)
        output, _ = network.decoder_forward(params, z)
        negative_log_likelihood, _ = network.reconstruction_forward(params, x, output)
        residual = x - network.decode(params, z)
        squares.append(np.einsum("nd,nd->n", residual, residual))
        nats.append(negative_log_likelihood)
    return ReconstructionError(
        float(np.concatenate(squares).mean(dtype=np.float64)),
        float(np.concatenate(nats).mean(dtype=np.float64)),
        len(codes),
    )
