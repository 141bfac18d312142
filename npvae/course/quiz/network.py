"""A small VAE for 8 x 8 digits in which every piece can be exchanged, and its training in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from npvae import kernels
from npvae.checks.faults import Implementation, Pair, pair_of
from npvae.checks.faults.composition import HEADS
from npvae.checks.faults.fault import Array, Cache
from npvae.checks.faults.losses import BERNOULLI
from npvae.checks.faults.reparameterisation import DRAW
from npvae.core.activations import relu_backward, relu_forward, sigmoid_forward
from npvae.core.gaussian import kl_backward, kl_forward
from npvae.core.init import init_parameters
from npvae.core.layers import dense_backward, dense_forward
from npvae.core.parameters import Parameters, Shapes
from npvae.data import load_digits
from npvae.training.optimizers import Adam

HIDDEN, LATENT_DIM = 64, 8
EPOCHS, BATCH, LEARNING_RATE = 40, 64, 3e-3
SEED = 0
N_SAMPLES = 36


def objective_forward(reconstruction: Array, kl: Array) -> tuple[Array, Cache]:
    """Compute the loss, a scalar, from the two terms of every sample, (N,) each."""
    return np.mean(reconstruction + kl), len(kl)


def objective_backward(d_loss: Array, n: Cache) -> tuple[Array, Array]:
    """Return d_reconstruction and d_kl, (N,) each."""
    return np.full(n, d_loss / n), np.full(n, d_loss / n)


KL = Pair(kl_forward, kl_backward)
OBJECTIVE = Pair(objective_forward, objective_backward)


@dataclass(frozen=True)
class Pieces:
    """The pieces of a VAE, right ones unless others are given.

    Attributes
    ----------
    heads : forward(h, U, V) -> (mu, log_var)
    draw : forward(mu, log_var, eps) -> z
    kl : forward(mu, log_var) -> (N,)
    reconstruction : forward(logits, x) -> (N,)
    objective : forward(reconstruction, kl) -> scalar
    """

    heads: Implementation = HEADS
    draw: Implementation = DRAW
    kl: Implementation = KL
    reconstruction: Implementation = BERNOULLI
    objective: Implementation = OBJECTIVE


RIGHT = Pieces()


class Trainable(Protocol):
    """What `train` asks of a network."""

    def shapes(self) -> Shapes:
        """Return names and shapes of all parameters."""

    def loss_and_grad(self, params: Parameters, x: Array, eps: Array) -> tuple[Any, Parameters]:
        """Return the loss and the gradient of every parameter."""


class PiecewiseVAE:
    """Encoder and decoder with one hidden layer each; the rest is made of pieces.

    Parameters
    ----------
    pieces : Pieces
    n_features : int
        D.
    """

    def __init__(self, pieces: Pieces, n_features: int) -> None:
        self.n_features = n_features
        self.heads, self.draw, self.kl = map(pair_of, (pieces.heads, pieces.draw, pieces.kl))
        self.reconstruction, self.objective = map(pair_of, (pieces.reconstruction, pieces.objective))

    def shapes(self) -> Shapes:
        """Return names and shapes of all parameters; the heads have no bias."""
        return {
            "encoder.W": (self.n_features, HIDDEN),
            "encoder.b": (HIDDEN,),
            "mu.W": (HIDDEN, LATENT_DIM),
            "log_var.W": (HIDDEN, LATENT_DIM),
            "decoder.W": (LATENT_DIM, HIDDEN),
            "decoder.b": (HIDDEN,),
            "output.W": (HIDDEN, self.n_features),
            "output.b": (self.n_features,),
        }

    def loss_and_grad(self, params: Parameters, x: Array, eps: Array) -> tuple[Any, Parameters]:
        """Return the loss of x (N, D) with the noise eps (N, Z), and the gradient of every parameter."""
        # Forward: each line has its backward below, in the opposite order.
        a, encoder = dense_forward(x, params["encoder.W"], params["encoder.b"])
        h, encoder_relu = relu_forward(a)
        (mu, log_var), heads = self.heads.forward(h, params["mu.W"], params["log_var.W"])
        z, draw = self.draw.forward(mu, log_var, eps)
        c, decoder = dense_forward(z, params["decoder.W"], params["decoder.b"])
        g, decoder_relu = relu_forward(c)
        logits, output = dense_forward(g, params["output.W"], params["output.b"])
        reconstruction, likelihood = self.reconstruction.forward(logits, x)
        kl, divergence = self.kl.forward(mu, log_var)
        loss, objective = self.objective.forward(reconstruction, kl)

        grads = params.zeros_like()
        d_reconstruction, d_kl = self.objective.backward(np.ones_like(loss), objective)
        d_mu_kl, d_log_var_kl = self.kl.backward(d_kl, divergence)
        d_logits = self.reconstruction.backward(d_reconstruction, likelihood)
        dg, grads["output.W"], grads["output.b"] = dense_backward(d_logits, output)
        dz, grads["decoder.W"], grads["decoder.b"] = dense_backward(relu_backward(dg, decoder_relu), decoder)
        d_mu, d_log_var = self.draw.backward(dz, draw)
        d_heads = (d_mu + d_mu_kl, d_log_var + d_log_var_kl)
        dh, grads["mu.W"], grads["log_var.W"] = self.heads.backward(d_heads, heads)
        _, grads["encoder.W"], grads["encoder.b"] = dense_backward(relu_backward(dh, encoder_relu), encoder)
        return loss, grads


@dataclass(frozen=True)
class Trained:
    """What a training led to.

    Attributes
    ----------
    params : Parameters
    reported : (epochs,) array
        The mean of the losses that training itself computed, per epoch.
    measured : (epochs,) array
        What `measure` returned after each epoch.
    """

    params: Parameters
    reported: Array
    measured: Array


def train(
    network: Trainable,
    X: Array,
    measure: Callable[[Parameters], float],
) -> Trained:
    """Train with Adam, from the same parameters and with the same noise for every network.

    Parameters
    ----------
    network : Trainable
    X : (N, D) array
    measure : callable
        ``measure(params) -> float``, after each epoch.

    Returns
    -------
    Trained
    """
    rng = np.random.default_rng(SEED)
    params = init_parameters(network.shapes(), rng, dtype=np.float64)
    if "output.log_noise_var" in params:  # of a Gaussian likelihood: it starts at the data's scale
        params["output.log_noise_var"] = np.log([X.var()])
    optimizer = Adam()
    state = optimizer.start(params.flat)
    reported, measured = [], []
    # One thread: with more, such small products wait for each other most of the time.
    one_thread = threadpool_limits(1, user_api="blas")
    with kernels.using("reference"), one_thread, np.errstate(over="ignore", invalid="ignore"):
        for _ in range(EPOCHS):
            order = rng.permutation(len(X))
            losses = []
            for start in range(0, len(X) - BATCH + 1, BATCH):
                x = X[order[start : start + BATCH]]
                loss, grads = network.loss_and_grad(params, x, rng.standard_normal((len(x), LATENT_DIM)))
                optimizer.update(params.flat, grads.flat, state, LEARNING_RATE)
                losses.append(float(getattr(loss, "total", loss)))
            reported.append(np.mean(losses))
            measured.append(measure(params))
    return Trained(params, np.array(reported), np.array(measured))


def digits() -> tuple[Array, Array]:
    """Return training and test images, (N, 64) in [0, 1], float64."""
    data = load_digits()
    return data.X_train.astype(np.float64), data.X_test.astype(np.float64)


def negative_elbo(X: Array, pieces: Pieces) -> Callable[[Parameters], float]:
    """Return a function of parameters: the loss on X, (N, D), with these pieces and the same noise each time.

    With right pieces it is minus the ELBO, in nats per image, however the parameters were trained.
    """
    network = PiecewiseVAE(pieces, X.shape[1])
    eps = np.random.default_rng(SEED + 1).standard_normal((len(X), LATENT_DIM))
    return lambda params: float(network.loss_and_grad(params, X, eps)[0])


def encode(params: Parameters, X: Array) -> tuple[Array, Array]:
    """Return mu and log_var, (N, Z) each."""
    h, _ = relu_forward(dense_forward(X, params["encoder.W"], params["encoder.b"])[0])
    return h @ params["mu.W"], h @ params["log_var.W"]


def decode(params: Parameters, z: Array) -> Array:
    """Return probabilities (N, D) for z (N, Z)."""
    g, _ = relu_forward(dense_forward(z, params["decoder.W"], params["decoder.b"])[0])
    return sigmoid_forward(dense_forward(g, params["output.W"], params["output.b"])[0])[0]


def prior_noise() -> Array:
    """Return codes for samples, drawn from N(0, I)."""
    return np.random.default_rng(SEED + 2).standard_normal((N_SAMPLES, LATENT_DIM))
