import numpy as np
import pytest
from scipy import stats

from npvae import kernels
from npvae.core.autoencoder import AutoencoderNetwork
from tests import oracles
from tests.core.points import EVERY_KIND, assert_gradients_close, label, random_parameters


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_loss_and_gradient_equal_autograd(settings, scale, rng):
    network = AutoencoderNetwork(**settings)
    params, x = random_parameters(network, rng, scale), rng.uniform(size=(5, 3))
    loss, grads = network.loss_and_grad(params, x)
    expected_loss, expected = oracles.autoencoder_loss_and_grad(
        params,
        x,
        activation=network.activation,
        likelihood=network.likelihood,
        noise_variance=network.noise_variance,
    )
    assert loss.total == pytest.approx(expected_loss, rel=1e-12)
    assert_gradients_close(grads, expected, 1e-10)


def test_linear_autoencoder_by_hand():
    """x = (1, 2) -> code 1 * 3 + 2 * (-1) + 1 = 2 -> output (2, 4) + (0, -1): residual (-1, -1)."""
    network = AutoencoderNetwork(n_features=2, latent_dim=1, hidden=(), noise_variance=0.5)
    params = random_parameters(network, np.random.default_rng())
    params["code.W"], params["code.b"] = [[3], [-1]], [1]
    params["output.W"], params["output.b"] = [[1, 2]], [0, -1]
    loss, grads = network.loss_and_grad(params, np.array([[1.0, 2.0]]))
    assert loss.total == pytest.approx(2 + np.log(np.pi), rel=1e-15)
    np.testing.assert_allclose(grads["output.b"], [2, 2], rtol=1e-15)
    np.testing.assert_allclose(grads["output.W"], [[4, 4]], rtol=1e-15)
    np.testing.assert_allclose(grads["code.b"], [2 * 1 + 2 * 2], rtol=1e-15)
    np.testing.assert_allclose(grads["code.W"], [[6], [12]], rtol=1e-15)


def test_loss_is_minus_the_mean_log_likelihood_of_the_reconstruction(rng):
    network = AutoencoderNetwork(n_features=4, latent_dim=2, hidden=(5,), noise_variance=0.3)
    params, x = random_parameters(network, rng), rng.uniform(size=(6, 4))
    output = network.decode(params, network.encode(params, x))
    expected = -stats.norm.logpdf(x, output, np.sqrt(0.3)).sum(axis=1).mean()
    loss = network.loss(params, x)
    assert loss.total == loss.reconstruction == pytest.approx(expected, rel=1e-12)
    assert network.loss_and_grad(params, x)[0] == loss


def test_loss_is_a_mean_over_the_batch(rng):
    network = AutoencoderNetwork(n_features=4, latent_dim=2, hidden=(5,), activation="tanh")
    params, x = random_parameters(network, rng), rng.uniform(size=(6, 4))
    loss, grads = network.loss_and_grad(params, x)
    twice, twice_grads = network.loss_and_grad(params, np.concatenate([x, x]))
    assert twice.total == pytest.approx(loss.total, rel=1e-13)
    np.testing.assert_allclose(twice_grads.flat, grads.flat, rtol=1e-11, atol=1e-13)


def test_nothing_that_is_passed_in_changes(rng):
    network = AutoencoderNetwork(n_features=4, latent_dim=2, hidden=(5,), likelihood="bernoulli")
    params, x = random_parameters(network, rng), rng.uniform(size=(6, 4))
    before, x_before = params.copy(), x.copy()
    first = network.loss_and_grad(params, x)
    assert (params, x.tolist()) == (before, x_before.tolist())
    assert network.loss_and_grad(params, x) == first


@pytest.mark.parametrize("choice", kernels.CHOICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
@pytest.mark.parametrize("settings", EVERY_KIND[::4], ids=label)
def test_runs_in_every_data_type(settings, dtype, choice, rng):
    network = AutoencoderNetwork(**settings)
    params, x = random_parameters(network, rng), rng.uniform(size=(5, 3))
    expected, expected_grads = network.loss_and_grad(params, x)
    with kernels.using(choice):
        loss, grads = network.loss_and_grad(params.astype(dtype), x.astype(dtype))
    assert loss.total.dtype == grads.flat.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    assert loss.total == pytest.approx(expected.total, rel=tolerance)
    assert_gradients_close(grads, expected_grads, tolerance)
