"""Samples and their draws of z in a compiled step: z itself, the terms of the loss, and their gradients.

There are k draws for each of N samples; row n k + i of what belongs to draws (z, eps, the decoder's output)
is draw i of sample n. Every function works on samples top .. bottom with all of their draws, and
needs nothing of the others.
"""

import math

import numpy as np

from npvae.kernels import elementwise as f
from npvae.kernels.compiled import ARITHMETIC, EXACT, compile_kernel, exp_of_negative, log1p_of_unit
from npvae.kernels.step.sums import sum_of, sum_of_squares
from npvae.kernels.views import part_of_row, vector_at

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_LOG_2PI = np.float32(np.log(2 * np.pi))


@compile_kernel(EXACT, inner=True)
def gather_heads(theta, start, fan_in, n_latent, heads):
    """Copy the weights and biases of mu and of log_var, from theta's entry `start` on, side by side."""
    size = (fan_in + 1) * n_latent
    for i in range(fan_in + 1):
        for j in range(n_latent):
            heads[2 * i * n_latent + j] = theta[start + i * n_latent + j]
            heads[(2 * i + 1) * n_latent + j] = theta[start + size + i * n_latent + j]


@compile_kernel(EXACT, inner=True)
def scatter_heads(heads, fan_in, n_latent, theta, start):
    """Copy back what `gather_heads` copies."""
    size = (fan_in + 1) * n_latent
    for i in range(fan_in + 1):
        for j in range(n_latent):
            theta[start + i * n_latent + j] = heads[2 * i * n_latent + j]
            theta[start + size + i * n_latent + j] = heads[(2 * i + 1) * n_latent + j]


@compile_kernel(ARITHMETIC, inner=True)
def draw(heads, eps, n_draws, is_vae, top, bottom, z, kl):
    """Compute z of each draw and the KL divergence of each sample from the encoder's output.

    `heads` is (N, 2 Z). For an autoencoder it is (N, Z), and is copied to z.
    """
    n_latent = z.shape[1]
    terms, std = np.empty(n_latent, np.float32), np.empty(n_latent, np.float32)
    for i in range(top, bottom):
        if not is_vae:
            kl[i] = _ZERO
            for j in range(n_latent):
                z[i, j] = heads[i, j]
            continue
        mu, log_var = part_of_row(heads, i, 0, n_latent), part_of_row(heads, i, n_latent, 2 * n_latent)
        for j in range(n_latent):
            std[j] = f.exp(log_var[j] / _TWO)
            terms[j] = mu[j] * mu[j] + f.expm1(log_var[j]) - log_var[j]
        kl[i] = sum_of(terms) / _TWO
        for row in range(i * n_draws, (i + 1) * n_draws):
            for j in range(n_latent):
                z[row, j] = mu[j] + std[j] * eps[row, j]


@compile_kernel(ARITHMETIC, inner=True)
def bernoulli(x, output, n_draws, log_noise_var, top, bottom, reconstruction, squares, d_output):
    """Compute -ln p(x | z) of each draw, and the gradient of its mean over all N k for the decoder's output.

    The logits are `output`; `log_noise_var` and `squares` are the Gaussian likelihood's.
    """
    n_features, factor = x.shape[1], -_ONE / np.float32(output.shape[0])
    terms = np.empty(n_features, np.float32)
    for i in range(top, bottom):
        for row in range(i * n_draws, (i + 1) * n_draws):
            for j in range(n_features):  # as in `twins._bernoulli`
                logit = output[row, j]
                e = exp_of_negative(-abs(logit))
                terms[j] = x[i, j] * logit - (_ZERO if logit <= _ZERO else logit) - log1p_of_unit(e)
                d_output[row, j] = (x[i, j] - (_ONE if logit > _ZERO else e) / (_ONE + e)) * factor
            reconstruction[row] = -sum_of(terms)


@compile_kernel(ARITHMETIC, inner=True)
def gaussian(x, output, n_draws, log_noise_var, top, bottom, reconstruction, squares, d_output):
    """Compute -ln p(x | z) of each draw, and the gradient of its mean over all N k for the decoder's output.

    The means are `output`; `squares` gets the squared error of each draw, divided by the variance.
    """
    n_features, precision = x.shape[1], f.exp(-log_noise_var)
    factor = -precision / np.float32(output.shape[0])
    constant = np.float32(n_features) * (log_noise_var + _LOG_2PI)
    errors = np.empty(n_features, np.float32)
    for i in range(top, bottom):
        for row in range(i * n_draws, (i + 1) * n_draws):
            for j in range(n_features):
                errors[j] = x[i, j] - output[row, j]
                d_output[row, j] = errors[j] * factor
            squares[row] = sum_of_squares(errors) * precision
            reconstruction[row] = (squares[row] + constant) / _TWO


@compile_kernel(ARITHMETIC, inner=True)
def weigh(
    heads, eps, z, n_draws, beta, top, bottom, reconstruction, weights, bound, squares, d_output
):  # fmt: skip
    """Compute the importance-weighted bound L_k of each sample; turn means over draws into weighted ones.

    With ln w = ln p(x | z) - beta (ln q(z | x) - ln p(z)), L_k is ln (1/k) sum_i w_i, and the share of draw i
    is w_i / sum_j w_j. `weights` (N k,) gets k times the shares; `squares` and `d_output`, as the functions
    above left them, are multiplied by it.

    Notes
    -----
    With z = mu + std * eps and v = log_var, in each dimension

        ln q = -(eps^2 + v + ln(2 pi)) / 2,   ln p = -(z^2 + ln(2 pi)) / 2,

        ln q - ln p = (z^2 - eps^2 - v) / 2.

    eps is used directly: (z - mu) / std is equal in exact arithmetic, but loses digits where std is small.
    The largest ln w is taken out before the exponential, so that none overflows and not all are 0.
    """
    n_latent = z.shape[1]
    terms = np.empty(n_latent, np.float32)
    for i in range(top, bottom):
        log_var = part_of_row(heads, i, n_latent, 2 * n_latent)
        first, end = i * n_draws, (i + 1) * n_draws
        w = vector_at(weights, first, n_draws)
        for row in range(first, end):
            for j in range(n_latent):
                terms[j] = z[row, j] * z[row, j] - eps[row, j] * eps[row, j] - log_var[j]
            weights[row] = -reconstruction[row] - beta * (sum_of(terms) / _TWO)
        largest = w[0]
        for draw in range(1, n_draws):
            largest = max(largest, w[draw])
        for draw in range(n_draws):
            w[draw] = f.exp(w[draw] - largest)
        mean = sum_of(w) / np.float32(n_draws)
        bound[i] = largest + math.log(mean)
        for row in range(first, end):
            weights[row] /= mean
            squares[row] *= weights[row]
            d = part_of_row(d_output, row, 0, d_output.shape[1])
            for j in range(d.size):
                d[j] *= weights[row]


@compile_kernel(ARITHMETIC, inner=True)
def carry_back_to_heads(dz, z, eps, heads, weights, n_draws, is_iwae, beta, top, bottom, d_heads):
    """Add up the gradients for mu and log_var: through z from all draws, and directly from the KL or ln q.

    Notes
    -----
    `dz` holds what comes from the reconstructions. From z = mu + std * eps, with v = log_var,

        d_mu = sum_i dz_i,   d_v = sum_i dz_i eps_i * std / 2.

    The ELBO adds beta / N times the KL, whose gradient is mu and (e^v - 1) / 2.

    The derivative of the bound L_k by ln w_i is s_i, the share of draw i. So the negative mean bound adds,
    for each draw, beta s_i / N times the gradient of ln q - ln p. With u = (z - mu) / std,

        ln q = -(u^2 + v + ln(2 pi)) / 2
            by way of z    dz = -u / std,   so d_mu = -u / std   and d_v = -u / std * eps std / 2 = -u^2 / 2
            straight                           d_mu =  u / std   and d_v = (u^2 - 1) / 2
            together                           d_mu = 0          and d_v = -1 / 2

    as u is eps whatever mu and v are. From -ln p = (z^2 + ln(2 pi)) / 2 comes dz = z. The shares add up to
    1, so

        dz_i += beta s_i / N * z_i   before the sums above,   d_v -= beta / (2 N)   after them.

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equations 13 and 14.
    """
    n_latent, weight = dz.shape[1], beta / np.float32(heads.shape[0])
    for i in range(top, bottom):
        mu, log_var = part_of_row(heads, i, 0, n_latent), part_of_row(heads, i, n_latent, 2 * n_latent)
        d_mu = part_of_row(d_heads, i, 0, n_latent)
        d_log_var = part_of_row(d_heads, i, n_latent, 2 * n_latent)
        for j in range(n_latent):
            d_mu[j], d_log_var[j] = _ZERO, _ZERO
        for row in range(i * n_draws, (i + 1) * n_draws):
            from_prior = weight * weights[row] / np.float32(n_draws) if is_iwae else _ZERO
            for j in range(n_latent):
                d = dz[row, j] + from_prior * z[row, j]
                d_mu[j] += d
                d_log_var[j] += d * eps[row, j]
        for j in range(n_latent):
            std = f.exp(log_var[j] / _TWO)
            if is_iwae:
                d_log_var[j] = d_log_var[j] * std / _TWO - weight / _TWO
            else:
                d_mu[j] += weight * mu[j]
                d_log_var[j] = d_log_var[j] * std / _TWO + weight * f.expm1(log_var[j]) / _TWO
