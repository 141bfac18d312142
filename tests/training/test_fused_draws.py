"""The compiled loss and gradient of VAEs with several draws of z, against the core in float64."""

import numpy as np
import pytest
from scipy.special import logsumexp

from npvae import kernels
from npvae.core.activations import ACTIVATIONS
from npvae.core.objectives import OBJECTIVES, MultiSampleVAENetwork
from npvae.core.vae import VAENetwork
from npvae.training import SGD, Stepper
from npvae.training.fused import FusedGradient, fused_gradient
from tests.training.fused_cases import (
    LIKELIHOODS,
    D,
    Z,
    check_against_core,
    check_extreme,
    compute,
    draw,
    make,
)

pytestmark = pytest.mark.skipif(
    not kernels.has_compiled_products() or kernels.choice() != "compiled",
    reason="there are no compiled products",
)

EACH_OBJECTIVE = pytest.mark.parametrize("objective", OBJECTIVES)


def draws(rng, network, n):
    return draw(rng, n)[0], rng.standard_normal(network.noise_shape(n), dtype=np.float32)


@EACH_OBJECTIVE
@pytest.mark.parametrize("n_draws", [1, 3, 8])
@pytest.mark.parametrize(("likelihood", "noise_variance"), LIKELIHOODS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_what_the_core_computes(activation, likelihood, noise_variance, n_draws, objective, rng):
    settings = {"activation": activation, "likelihood": likelihood, "noise_variance": noise_variance}
    settings |= {"n_draws": n_draws, "objective": objective}
    for hidden in ((), (40, 33)):
        network, params = make(MultiSampleVAENetwork, rng, hidden, **settings)
        gradient = FusedGradient(network)
        for n, beta in ((37, 0.7), (1, 2.0), (5, 0.0)):
            check_against_core(network, gradient, params, *draws(rng, network, n), beta)


@EACH_OBJECTIVE
@pytest.mark.parametrize(("likelihood", "noise_variance"), [LIKELIHOODS[0], LIKELIHOODS[-1]])
def test_the_same_bits_with_any_number_of_threads(objective, likelihood, noise_variance, rng):
    settings = {"likelihood": likelihood, "noise_variance": noise_variance, "activation": "tanh"}
    network, params = make(MultiSampleVAENetwork, rng, (301, 217), objective=objective, n_draws=7, **settings)
    gradient = FusedGradient(network)
    for n, threads in ((43, (2, 3, 5, 12)), (2, (3,))):  # then a thread has no sample
        x, eps = draws(rng, network, n)
        alone = compute(gradient, params, x, eps)
        for n_threads in threads:
            loss, squared_norm, found = compute(gradient, params, x, eps, n_threads=n_threads)
            np.testing.assert_array_equal(found.flat, alone[2].flat)
            assert (loss, squared_norm) == alone[:2]


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_one_draw_of_the_elbo_has_the_bits_of_the_plain_vae(likelihood, rng):
    network, params = make(VAENetwork, rng, likelihood=likelihood)
    other, _ = make(MultiSampleVAENetwork, rng, likelihood=likelihood, objective="elbo", n_draws=1)
    x, eps = draws(rng, network, 9)
    expected = compute(FusedGradient(network), params, x, eps)
    assert compute(FusedGradient(other), params, x, eps[:, None]) == expected


@EACH_OBJECTIVE
def test_copies_of_a_draw_count_as_one(objective, rng):
    one, params = make(MultiSampleVAENetwork, rng, objective=objective, n_draws=1)
    many, _ = make(MultiSampleVAENetwork, rng, objective=objective, n_draws=11)
    x, eps = draws(rng, one, 9)
    loss, _, expected = compute(FusedGradient(one), params, x, eps)
    found_loss, _, found = compute(FusedGradient(many), params, x, np.repeat(eps, 11, axis=1))
    np.testing.assert_allclose(found_loss, loss, rtol=1e-5)
    np.testing.assert_allclose(found.flat, expected.flat, atol=1e-5 * np.abs(expected.flat).max())


@pytest.mark.parametrize("distance", [0, 1000])
def test_large_log_weights(distance, rng):
    """Weights near e^300, and near e^-25000000, of which only the draws' ratios of q and p differ."""
    k, variance, beta = 6, 1e-6 if distance == 0 else 1.0, 0.7
    network, params = make(
        MultiSampleVAENetwork, rng, (7,), likelihood="gaussian", noise_variance=variance, n_draws=k
    )
    x, eps = draws(rng, network, 5)
    x[:] = x[0]
    params["output.W"] = np.zeros((7, D))
    params["output.b"] = x[0] + distance
    mu, log_var = network.encode(params, x)
    mu, log_var = np.float64(mu)[:, None], np.float64(log_var)[:, None]
    z = mu + np.exp(log_var / 2) * eps
    log_ratio = (z**2 - np.float64(eps) ** 2 - log_var).sum(axis=2) / 2
    log_likelihood = -D / 2 * (distance**2 / variance + np.log(2 * np.pi * variance))
    bound = logsumexp(log_likelihood - beta * log_ratio, axis=1) - np.log(k)
    loss, squared_norm, found = compute(FusedGradient(network), params, x, eps, beta)
    assert loss.total == pytest.approx(-bound.mean(), rel=1e-5)
    assert np.isfinite(found.flat).all()
    assert np.isfinite(squared_norm)


@EACH_OBJECTIVE
def test_extreme_numbers(objective, rng):
    """Where the core's loss is infinite or not a number, so is this one."""
    for name, value in [
        *((name, value) for name in ("output.b", "encoder.0.W") for value in (np.nan, np.inf, 1e30, -80, 80)),
        *(("log_var.b", value) for value in (80, 178)),
    ]:
        network, params = make(MultiSampleVAENetwork, rng, (7,), objective=objective, n_draws=3)
        params[name][-1] = value
        check_extreme(network, params, *draws(rng, network, 9))


@EACH_OBJECTIVE
def test_narrow_posteriors(objective, rng):
    """In float32 z is mu here, and the noise cannot be had from z - mu."""
    network, params = make(MultiSampleVAENetwork, rng, objective=objective, n_draws=3)
    params["log_var.b"] = np.full(Z, -40)
    x, eps = draws(rng, network, 9)
    check_against_core(network, FusedGradient(network), params, x, eps, 0.7)


def test_noise_of_other_draws_is_refused(rng):
    network, params = make(MultiSampleVAENetwork, rng, n_draws=3)
    gradient, (x, eps) = FusedGradient(network), draws(rng, network, 9)
    for bad in (eps[:, 0], eps[:, :2], eps.reshape(27, Z), eps.reshape(3, 9, Z), eps[:-1], None):
        with pytest.raises(ValueError, match=r"eps must be \(9, 3, 3\)|needs noise"):
            compute(gradient, params, x, bad)


def test_noise_of_any_layout(rng):
    network, params = make(MultiSampleVAENetwork, rng, n_draws=3)
    gradient, (x, eps) = FusedGradient(network), draws(rng, network, 9)
    expected = compute(gradient, params, x, eps)
    assert compute(gradient, params, x, np.asfortranarray(eps)) == expected


@EACH_OBJECTIVE
def test_a_step_takes_it_and_the_core_takes_the_same_step(objective, rng):
    network, params = make(MultiSampleVAENetwork, rng, objective=objective, n_draws=4)
    assert fused_gradient(network, params) is not None
    x, _ = draw(rng, 16)
    steppers = [Stepper(network, params.copy(), SGD(0.0), np.random.default_rng(0)) for _ in range(2)]
    losses = [steppers[0].step(x, 0.01)]
    with kernels.using("reference"):
        losses.append(steppers[1].step(x, 0.01))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    moved = [stepper.params.flat - params.flat for stepper in steppers]
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-4 * np.abs(moved[1]).max())
    assert np.any(moved[0])


def test_the_core_where_it_does_not_fit(rng):
    class Other(MultiSampleVAENetwork):
        pass

    network, params = make(Other, rng)
    assert fused_gradient(network, params) is None
