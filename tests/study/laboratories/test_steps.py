import pytest

from npvae.data import load_digits
from npvae.gradcheck import check_network
from npvae.study.laboratories.steps import STEPS, UnitNoiseVAENetwork, run_steps
from tests.core.points import random_parameters


def test_gradients_with_noise_of_fixed_width(rng):
    network = UnitNoiseVAENetwork(n_features=4, latent_dim=2, hidden=(5,), activation="tanh")
    params = random_parameters(network, rng, 0.5)
    x, eps = rng.uniform(size=(3, 4)), rng.standard_normal((3, 2))
    report = check_network(network, params, x, eps)
    assert report.passed, str(report)
    loss, grads = network.loss_and_grad(params, x, eps)
    mu, _ = network.encode(params, x)
    assert loss.kl == pytest.approx((mu**2).sum() / 2 / 3, rel=1e-12)
    assert not grads["log_var.W"].any()


def test_what_each_step_does():
    cases = run_steps(load_digits(), n_epochs=30).cases
    plain, noise, pull, learned = (cases[name].figures for name in STEPS)
    assert plain.code_spread > 1.5
    assert noise.code_spread > 1.5 * plain.code_spread  # away from the noise
    assert pull.code_spread < 2  # held, at a price
    assert pull.reconstruction > plain.reconstruction + 1
    assert learned.std < 0.6  # less noise than the prior's
    assert learned.reconstruction < pull.reconstruction - 0.5
    assert learned.frechet == min(figures.frechet for figures in (plain, noise, pull, learned))
