"""Reconstruction error of a model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from npvae.data.file_rows import as_array
from npvae.data.scaling import as_floats, check_unit_interval

if TYPE_CHECKING:
    from npvae.estimators.base import LatentVariableModel

_BLOCK = 1024  # rows per block


@dataclass(frozen=True)
class ReconstructionError:
    """Means over samples; smaller is better.

    Parameters
    ----------
    squared_error : float
        Sum over the features of a sample, in the data's units squared; pixels in [0, 1].
    negative_log_likelihood : float
        -ln p(x | z) in nats, with z the code; for a VAE the posterior mean.
    n_samples : int
    """

    squared_error: float
    negative_log_likelihood: float
    n_samples: int


def reconstruction_error(estimator: "LatentVariableModel", X: npt.ArrayLike) -> ReconstructionError:
    """Measure the error of reconstructions of X from its codes.

    Parameters
    ----------
    estimator : VAE or Autoencoder
        Fitted.
    X : (N, D) array
        Held-out data.

    Returns
    -------
    ReconstructionError

    Raises
    ------
    NotFittedError, ValueError
        The estimator is not fitted; X is not finite, has another width, or has values outside [0, 1] with the
        Bernoulli likelihood.

    Notes
    -----
    With x' = E[x | z = code(x)], the squared error is the mean over samples of sum_d (x_d - x'_d)^2. It
    only depends on the reconstructions, so it can be compared between AEs and VAEs with any likelihood;
    -ln p(x | z) only between models with the same likelihood and noise variance. Cost: one pass through the
    network.

    Limits: a VAE is trained to reconstruct from draws of z, but this uses the posterior mean, as
    `reconstruct` does, so -ln p(x | z) is usually below the reconstruction term of its loss. It is not a
    bound of ln p(x); `score` is.
    """
    runs, rows = estimator.transform_in_runs(X), as_array(X)
    sums, n, network = np.zeros(2), 0, estimator.network_
    for codes in runs:
        params = estimator.params_.astype(codes.dtype)
        for start in range(0, len(codes), _BLOCK):
            z = codes[start : start + _BLOCK]
            x = as_floats(rows[n : n + len(z)], codes.dtype)
            if network.likelihood == "bernoulli":
                check_unit_interval(x)
            output, _ = network.decoder_forward(params, z)
            negative_log_likelihood, _ = network.reconstruction_forward(params, x, output)
            residual = x - network.decode(params, z)
            squares = np.einsum("nd,nd->n", residual, residual)
            sums += squares.sum(dtype=np.float64), negative_log_likelihood.sum(dtype=np.float64)
            n += len(z)
    squared_error, nats = (sums / n).tolist()
    return ReconstructionError(squared_error, nats, n)
