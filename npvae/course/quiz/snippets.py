"""The code of questions that is not in the catalogue of faults; some of it is wrong, which is the point.

The docstrings are not shown with a question.
"""

import numpy as np

from npvae.checks.faults.fault import Array, Cache, Pair


def kl_forward(mu: Array, log_var: Array) -> tuple[Array, Cache]:
    """Compute the divergence of every sample: (N,)."""
    kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2
    return kl, (mu, log_var)


def kl_backward_half(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Lose the 1/2 in front of the second gradient."""
    mu, log_var = cache
    d_mu = d_kl[:, None] * mu
    d_log_var = d_kl[:, None] * (np.exp(log_var) - 1)
    return d_mu, d_log_var


def kl_backward_sign(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Copy the sign of mu's term from the ELBO, which is minus the loss."""
    mu, log_var = cache
    d_mu = -d_kl[:, None] * mu
    d_log_var = d_kl[:, None] * (np.exp(log_var) - 1) / 2
    return d_mu, d_log_var


def kl_of_log_sigma_forward(mu: Array, log_sigma: Array) -> tuple[Array, Cache]:
    """Compute the divergence of every sample from ln sigma: (N,)."""
    kl = (mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(axis=1) / 2
    return kl, (mu, log_sigma)


def kl_of_log_sigma_backward(d_kl: Array, cache: Cache) -> tuple[Array, Array]:
    """Return d_mu and d_log_sigma."""
    mu, log_sigma = cache
    d_mu = d_kl[:, None] * mu
    d_log_sigma = d_kl[:, None] * (np.exp(2 * log_sigma) - 1)
    return d_mu, d_log_sigma


def draw_of_log_sigma_forward(mu: Array, log_sigma: Array, eps: Array) -> tuple[Array, Cache]:
    """Compute z from ln sigma."""
    sigma = np.exp(log_sigma)
    return mu + sigma * eps, (sigma, eps)


def draw_of_log_sigma_backward(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Return d_mu and d_log_sigma."""
    sigma, eps = cache
    return dz.copy(), dz * eps * sigma


def draw_exp_forward(mu: Array, log_var: Array, eps: Array) -> tuple[Array, Cache]:
    """Take the variance for the standard deviation, in the forward pass too."""
    sigma = np.exp(log_var)
    return mu + sigma * eps, (sigma, eps)


def draw_exp_backward(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Return the gradients of that."""
    sigma, eps = cache
    return dz.copy(), dz * eps * sigma


class NoiseAgain:
    """Draw the noise again in the backward pass, so that it need not be kept."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def forward(self, mu: Array, log_var: Array, eps: Array) -> tuple[Array, Cache]:
        """Compute z, and keep log_var only."""
        return mu + np.exp(log_var / 2) * eps, log_var

    def backward(self, dz: Array, cache: Cache) -> tuple[Array, Array]:
        """Return d_mu and d_log_var, with other noise."""
        log_var = cache
        eps = self.rng.standard_normal(dz.shape)
        return dz.copy(), dz * eps * np.exp(log_var / 2) / 2


def draw_little_forward(mu: Array, log_var: Array, eps: Array) -> tuple[Array, Cache]:
    """Scale the noise down."""
    eps = 0.01 * eps
    sigma = np.exp(log_var / 2)
    return mu + sigma * eps, (sigma, eps)


def draw_little_backward(dz: Array, cache: Cache) -> tuple[Array, Array]:
    """Return the gradients of that."""
    sigma, eps = cache
    return dz.copy(), dz * eps * sigma / 2


def loss_mean_and_sum_forward(reconstruction: Array, kl: Array) -> tuple[Array, Cache]:
    """Average one term over the batch and sum the other."""
    return reconstruction.mean() + kl.sum(), len(kl)


def loss_mean_and_sum_backward(d_loss: Array, n: Cache) -> tuple[Array, Array]:
    """Return the gradients of that."""
    d_reconstruction = np.full(n, d_loss / n)
    d_kl = np.full(n, d_loss)
    return d_reconstruction, d_kl


def loss_sum_forward(reconstruction: Array, kl: Array) -> tuple[Array, Cache]:
    """Sum both terms over the batch."""
    return reconstruction.sum() + kl.sum(), len(kl)


def loss_sum_backward(d_loss: Array, n: Cache) -> tuple[Array, Array]:
    """Return the gradients of that."""
    d_reconstruction = np.full(n, d_loss)
    d_kl = np.full(n, d_loss)
    return d_reconstruction, d_kl


def pixel_mean_forward(logits: Array, x: Array) -> tuple[Array, Cache]:
    """Average the cross-entropy over the pixels of a sample: (N,)."""
    cross_entropy = np.log(1 + np.exp(logits)) - x * logits
    return cross_entropy.mean(axis=1), (logits, x)


def pixel_mean_backward(d_loss: Array, cache: Cache) -> Array:
    """Return the gradient of that."""
    logits, x = cache
    p = 1 / (1 + np.exp(-logits))
    return d_loss[:, None] * (p - x) / x.shape[1]


def cross_entropy_forward(logits: Array, x: Array) -> tuple[Array, Cache]:
    """Compute the cross-entropy of every sample: (N,)."""
    p = 1 / (1 + np.exp(-logits))
    loss = (np.log(1 + np.exp(logits)) - x * logits).sum(axis=1)
    return loss, (x, p)


def cross_entropy_backward_again(d_loss: Array, cache: Cache) -> Array:
    """Multiply with the sigmoid's derivative, which has cancelled already."""
    x, p = cache
    return d_loss[:, None] * (p - x) * p * (1 - p)


def gaussian_loss_forward(mean: Array, x: Array, log_noise_var: Array) -> tuple[Array, Cache]:
    """Compute minus the logarithm of a normal density: (N,)."""
    squares = ((x - mean) ** 2).sum(axis=1)
    n_pixels = x.shape[1]
    loss = (squares * np.exp(-log_noise_var) + n_pixels * (log_noise_var + np.log(2 * np.pi))) / 2
    return loss, (mean, x, log_noise_var)


def gaussian_loss_backward(d_loss: Array, cache: Cache) -> tuple[Array, Array]:
    """Return d_mean and d_log_noise_var."""
    mean, x, log_noise_var = cache
    precision = np.exp(-log_noise_var)
    d_mean = d_loss[:, None] * (mean - x) * precision
    squares = ((x - mean) ** 2).sum(axis=1)
    d_log_noise_var = np.sum(d_loss * (x.shape[1] - squares * precision), keepdims=True) / 2
    return d_mean, d_log_noise_var


KL_HALF = Pair(kl_forward, kl_backward_half)
KL_SIGN = Pair(kl_forward, kl_backward_sign)
KL_OF_LOG_SIGMA = Pair(kl_of_log_sigma_forward, kl_of_log_sigma_backward)
DRAW_OF_LOG_SIGMA = Pair(draw_of_log_sigma_forward, draw_of_log_sigma_backward)
DRAW_EXP = Pair(draw_exp_forward, draw_exp_backward)
DRAW_LITTLE = Pair(draw_little_forward, draw_little_backward)
LOSS_MEAN_AND_SUM = Pair(loss_mean_and_sum_forward, loss_mean_and_sum_backward)
LOSS_SUM = Pair(loss_sum_forward, loss_sum_backward)
PIXEL_MEAN = Pair(pixel_mean_forward, pixel_mean_backward)
CROSS_ENTROPY_AGAIN = Pair(cross_entropy_forward, cross_entropy_backward_again)
GAUSSIAN_LOSS = Pair(gaussian_loss_forward, gaussian_loss_backward)
