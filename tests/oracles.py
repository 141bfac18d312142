"""Independent answers to compare npvae with. Nothing here imports npvae.

The two networks are written down as one would from Kingma & Welling (2014), in the
plainest form and with one sum over everything, and differentiated by ``autograd``.
The optimizers are their papers' formulas on float64, one number at a time.
"""

import math

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from scipy import special

LEAKY_SLOPE = 0.2

ACTIVATIONS = {
    "identity": lambda t: t,
    "relu": lambda t: anp.maximum(t, 0),
    "leaky_relu": lambda t: anp.where(t > 0, t, LEAKY_SLOPE * t),
    "tanh": anp.tanh,
    "sigmoid": lambda t: 1 / (1 + anp.exp(-t)),
    "softplus": lambda t: anp.logaddexp(t, 0),
}


def _hidden_layers(part, params, h, activation):
    i = 0
    while f"{part}.{i}.W" in params:
        h = ACTIVATIONS[activation](anp.dot(h, params[f"{part}.{i}.W"]) + params[f"{part}.{i}.b"])
        i += 1
    return h


def _negative_log_likelihood(params, x, z, activation, likelihood, noise_variance):
    """Sum over the batch; appendix C of the paper."""
    h = _hidden_layers("decoder", params, z, activation)
    output = anp.dot(h, params["output.W"]) + params["output.b"]
    if likelihood == "bernoulli":
        log_p, log_not_p = -anp.logaddexp(0, -output), -anp.logaddexp(0, output)
        return -anp.sum(x * log_p + (1 - x) * log_not_p)
    if noise_variance == "learned":
        variance = anp.exp(params["output.log_noise_var"][0])
    else:
        variance = noise_variance
    return anp.sum((x - output) ** 2 / (2 * variance) + anp.log(2 * anp.pi * variance) / 2)


def vae_terms(params, x, eps, *, activation, likelihood, noise_variance):
    """Reconstruction and KL, means over the batch; `params` is a dict of arrays."""
    h = _hidden_layers("encoder", params, x, activation)
    mu = anp.dot(h, params["mu.W"]) + params["mu.b"]
    variance = anp.exp(anp.dot(h, params["log_var.W"]) + params["log_var.b"])
    z = mu + anp.sqrt(variance) * eps
    reconstruction = _negative_log_likelihood(params, x, z, activation, likelihood, noise_variance)
    kl = -anp.sum(1 + anp.log(variance) - mu**2 - variance) / 2  # appendix B
    return reconstruction / len(x), kl / len(x)


def vae_loss_and_grad(params, x, eps, *, beta, **network):
    """Loss of the VAE and the gradient of every parameter, by autograd."""

    def loss(params):
        reconstruction, kl = vae_terms(params, x, eps, **network)
        return reconstruction + beta * kl

    return value_and_grad(loss)(dict(params))


def autoencoder_loss_and_grad(params, x, *, activation, likelihood, noise_variance):
    """Loss of the autoencoder and the gradient of every parameter, by autograd."""

    def loss(params):
        h = _hidden_layers("encoder", params, x, activation)
        code = anp.dot(h, params["code.W"]) + params["code.b"]
        return _negative_log_likelihood(params, x, code, activation, likelihood, noise_variance) / len(x)

    return value_and_grad(loss)(dict(params))


def exact_sigmoid(t):
    """1 / (1 + exp(-t)) in extended precision."""
    return special.expit(np.asarray(t, np.longdouble))


def exact_softplus(t):
    """ln(1 + exp(t)) in extended precision."""
    return -special.log_expit(-np.asarray(t, np.longdouble))


def sgd_trajectory(theta, gradients, learning_rate, momentum):
    """Polyak's heavy ball: each step is the sum of all gradients so far, the older the weaker."""
    theta = np.array(theta, np.float64)
    for t in range(len(gradients)):
        for s in range(t + 1):
            theta = theta - learning_rate * momentum ** (t - s) * np.asarray(gradients[s], np.float64)
    return theta


def adagrad_trajectory(theta, gradients, learning_rate, epsilon):
    """Duchi, Hazan & Singer (2011)."""
    result = []
    for p, gs in zip(theta.tolist(), np.transpose(gradients).tolist(), strict=True):
        for t in range(len(gs)):
            p -= learning_rate * gs[t] / (math.sqrt(sum(g * g for g in gs[: t + 1])) + epsilon)
        result.append(p)
    return np.array(result)


def adam_trajectory(theta, gradients, learning_rate, beta1, beta2, epsilon):
    """Kingma & Ba (2015), algorithm 1, with the averages as the sums of their equation 4."""
    result = []
    for p, gs in zip(theta.tolist(), np.transpose(gradients).tolist(), strict=True):
        for t in range(1, len(gs) + 1):
            m = (1 - beta1) * sum(beta1 ** (t - s) * gs[s - 1] for s in range(1, t + 1))
            v = (1 - beta2) * sum(beta2 ** (t - s) * gs[s - 1] ** 2 for s in range(1, t + 1))
            p -= learning_rate * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + epsilon)
        result.append(p)
    return np.array(result)
