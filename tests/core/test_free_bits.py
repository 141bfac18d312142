import numpy as np
import pytest

from npvae.core.gaussian import free_bits_forward, kl_backward, kl_forward
from npvae.core.objectives import FreeBitsVAENetwork
from npvae.core.vae import VAENetwork
from npvae.training.fused import fused_gradient
from tests.core.points import random_parameters

SETTINGS = {"n_features": 4, "latent_dim": 3, "hidden": (5,), "activation": "tanh"}
SPREAD = np.array([0.1, 1.0, 2.0])  # of three dimensions, the first is below the free bits


def posteriors(rng, n=7, dtype=np.float64):
    return [(SPREAD * rng.standard_normal((n, 3))).astype(dtype) for _ in range(2)]


def kl_per_dimension(mu, log_var):
    return ((mu**2 + np.exp(log_var) - 1 - log_var) / 2).mean(axis=0)


@pytest.mark.parametrize("free_bits", [0.0, 0.3, 1.0, 50.0])
def test_the_mean_is_the_sum_of_the_larger_ones(free_bits, rng):
    mu, log_var = posteriors(rng)
    term, _ = free_bits_forward(mu, log_var, free_bits)
    expected = np.maximum(free_bits, kl_per_dimension(mu, log_var)).sum()
    assert term.shape == (7,)
    assert term.mean() == pytest.approx(expected, rel=1e-13)


def test_below_the_free_bits_there_is_no_gradient_and_above_them_that_of_the_kl(rng):
    mu, log_var = posteriors(rng)
    _, cache = free_bits_forward(mu, log_var, 0.1)
    assert list(kl_per_dimension(mu, log_var) > 0.1) == [False, True, True]
    d_kl = rng.standard_normal(7)
    plain = kl_backward(d_kl, kl_forward(mu, log_var)[1])
    for gradient, of_kl in zip(kl_backward(d_kl, cache), plain, strict=True):
        np.testing.assert_array_equal(gradient[:, 0], 0)
        np.testing.assert_array_equal(gradient[:, 1:], of_kl[:, 1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_data_type_is_kept(dtype, rng):
    mu, log_var = posteriors(rng, dtype=dtype)
    term, cache = free_bits_forward(mu, log_var, 0.1)
    assert {array.dtype for array in (term, *kl_backward(term, cache))} == {np.dtype(dtype)}


def test_the_loss_has_the_term_and_reports_the_kl(rng):
    network = FreeBitsVAENetwork(free_bits=2.0, beta=3.0, **SETTINGS)
    params = random_parameters(network, rng, 0.3)
    x, eps = rng.uniform(size=(6, 4)), rng.standard_normal((6, 3))
    loss, _ = network.loss_and_grad(params, x, eps)
    plain = VAENetwork(beta=3.0, **SETTINGS).loss(params, x, eps)
    assert (loss.reconstruction, loss.kl) == (plain.reconstruction, plain.kl)
    floored = np.maximum(2.0, kl_per_dimension(*network.encode(params, x))).sum()
    assert loss.total == pytest.approx(plain.reconstruction + 3 * floored, rel=1e-13)
    assert network.loss(params, x, eps) == loss


def test_without_free_bits_it_is_the_vae(rng):
    network, plain = FreeBitsVAENetwork(free_bits=0.0, **SETTINGS), VAENetwork(**SETTINGS)
    params = random_parameters(network, rng)
    x, eps = rng.uniform(size=(6, 4)), rng.standard_normal((6, 3))
    (loss, grads), (expected_loss, expected) = (net.loss_and_grad(params, x, eps) for net in (network, plain))
    assert loss == expected_loss
    assert grads == expected


def test_the_compiled_step_leaves_it_to_core(rng):
    network = FreeBitsVAENetwork(free_bits=0.5, **SETTINGS)
    assert fused_gradient(network, random_parameters(network, rng, dtype=np.float32)) is None


@pytest.mark.parametrize("free_bits", [-0.1, np.nan, np.inf, True, "some", None])
def test_what_is_no_number_of_nats(free_bits):
    with pytest.raises(ValueError, match="free_bits must be a number of at least 0"):
        FreeBitsVAENetwork(free_bits=free_bits, **SETTINGS)
