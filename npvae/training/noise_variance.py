"""The Gaussian likelihood's learned variance: where it starts, and how it follows the residuals."""

import math

from npvae.core.parameters import Parameters

LOG_NOISE_VARIANCE = "output.log_noise_var"

_MEMORY = 128  # rows that weigh as much as the current estimate


def follow_residuals(
    params: Parameters, d_log_noise_var: float, n_rows: int, n_features: int, least: float
) -> None:
    """Move the noise variance towards the mean squared residual of a batch, in place.

    Parameters
    ----------
    params : Parameters
        With ``output.log_noise_var``.
    d_log_noise_var : float
        The gradient of the batch's mean loss, before any optimizer sees it.
    n_rows, n_features : int
        N and D of the batch.
    least : float > 0
        Lower limit of the variance: for data that are reconstructed exactly, the optimal variance is 0.

    Notes
    -----
    With s = ln v and S the mean over the batch of a sample's summed squared residuals, dL/ds = (D - S / v) /
    2, so the variance at which the gradient would be zero follows from it:

        S / D = v (1 - 2 dL/ds / D).

    This S / D is the batch's optimal variance (the analytic variance of Rybkin et al. 2021). The new v is
    the mean of this variance, with weight N, and of the old v, with weight 128:

        v <- (1 - rho) v + rho S / D,    rho = N / (N + 128),

    This is a natural-gradient step, because the Fisher information of v is D / (2 v^2). An optimizer such
    as Adam would move s by about one learning rate per step, however far it is from the optimum.

    References
    ----------
    Rybkin, Daniilidis & Levine (2021), Simple and effective VAE training with calibrated decoders
    (sigma-VAE).
    """
    rho = n_rows / (n_rows + _MEMORY)
    log_noise_var = float(params[LOG_NOISE_VARIANCE][0]) + math.log1p(-2 * rho * d_log_noise_var / n_features)
    params[LOG_NOISE_VARIANCE] = [max(log_noise_var, math.log(least))]
