"""Networks for the tests of the compiled loss and gradient, and what these are compared with."""

import numpy as np
import pytest

from npvae import kernels
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.training.fused import FusedGradient

D, Z = 50, 3
LIKELIHOODS = [("bernoulli", 1.0), ("gaussian", 1.0), ("gaussian", 0.3), ("gaussian", "learned")]


def make(cls, rng, hidden=(40, 33), **settings):
    network = cls(n_features=D, latent_dim=Z, hidden=hidden, **settings)
    params = init_parameters(network.shapes(), rng)
    params.flat += 0.1 * rng.standard_normal(params.flat.size, dtype=np.float32)
    return network, params


def of_core(network, params, x, eps, beta):
    """The specification, in double precision."""
    params, x = params.astype(np.float64), x.astype(np.float64)
    if isinstance(network, VAENetwork):
        return network.loss_and_grad(params, x, eps.astype(np.float64), beta=beta)
    return network.loss_and_grad(params, x)


def compute(gradient, params, x, eps, beta=0.7, n_threads=1):
    out = params.zeros_like()
    out.flat[:] = np.nan
    with kernels.using_team(n_threads):
        loss, squared_norm = gradient(params, x, eps, beta, out)
    return loss, squared_norm, out


def draw(rng, n):
    x = rng.random((n, D), dtype=np.float32)
    x[:, : D // 3] = 0  # as the margins of images are
    return x, rng.standard_normal((n, Z), dtype=np.float32)


def check_against_core(network, gradient, params, x, eps, beta):
    loss, squared_norm, found = compute(gradient, params, x, eps, beta)
    expected_loss, expected = of_core(network, params, x, eps, beta)
    assert type(loss) is type(expected_loss)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    np.testing.assert_allclose(found.flat, expected.flat, atol=1e-5 * np.abs(expected.flat).max())
    for name, right in expected.items():  # each on its own scale
        np.testing.assert_allclose(found[name], right, atol=1e-4 * np.abs(right).max())
    assert squared_norm == pytest.approx(np.sum(expected.flat**2), rel=1e-4)


def check_extreme(network, params, x, eps):
    loss, squared_norm, found = compute(FusedGradient(network), params, x, eps, beta=1.0)
    with np.errstate(all="ignore"), kernels.using("reference"):
        if isinstance(network, VAENetwork):
            right, gradient = network.loss_and_grad(params, x, eps, beta=1.0)
        else:
            right, gradient = network.loss_and_grad(params, x)
    np.testing.assert_allclose(loss, right, rtol=1e-4)
    assert np.isfinite(found.flat).all() == np.isfinite(gradient.flat).all()
    if not np.isfinite(found.flat).all():
        assert not np.isfinite(squared_norm)
