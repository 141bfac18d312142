"""Networks of every kind, and points at which to look at them."""

from itertools import product

import numpy as np

from npvae.core.activations import ACTIVATIONS
from npvae.core.parameters import Parameters
from tests.oracles import LEAKY_SLOPE

HIDDEN = [(), (5,), (5, 4)]
LIKELIHOODS = {
    "bernoulli": {"likelihood": "bernoulli"},
    "gaussian": {"likelihood": "gaussian", "noise_variance": 0.3},
    "gaussian, learned noise": {"likelihood": "gaussian", "noise_variance": "learned"},
}


# Every activation with every likelihood and depth; without hidden layers there is no activation.
EVERY_KIND = [
    dict(
        n_features=3,
        latent_dim=2,
        hidden=hidden,
        activation=activation,
        negative_slope=LEAKY_SLOPE,
        **LIKELIHOODS[likelihood],
    )
    for hidden, activation, likelihood in product(HIDDEN, ACTIVATIONS, LIKELIHOODS)
    if hidden or activation == "relu"
]


def label(settings):
    """Name a network in a test's id."""
    noise = settings.get("noise_variance", "")
    return f"{settings['hidden']} {settings['activation']} {settings['likelihood']} {noise}".strip()


def random_parameters(network, rng, scale=1.0, dtype=np.float64):
    """Draw every parameter from N(0, scale^2), noise variance included."""
    params = Parameters(network.shapes(), dtype=dtype)
    params.flat[:] = scale * rng.standard_normal(params.flat.size)
    return params


def assert_gradients_close(grads, expected, tolerance):
    """Compare every parameter's gradient, relative to that gradient's largest entry."""
    assert list(grads) == list(expected)
    for name, gradient in grads.items():
        allowed = tolerance * np.abs(expected[name]).max()
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=allowed, err_msg=name)
