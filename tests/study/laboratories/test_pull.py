import numpy as np
import pytest

from npvae.data import load_digits
from npvae.gradcheck import check_network
from npvae.study.laboratories.pull import NoiselessVAENetwork, run_pull
from tests.core.points import random_parameters


def test_gradients_without_noise(rng):
    network = NoiselessVAENetwork(n_features=4, latent_dim=2, hidden=(5,), activation="tanh")
    params = random_parameters(network, rng, 0.5)
    x, eps = rng.uniform(size=(3, 4)), rng.standard_normal((3, 2))
    report = check_network(network, params, x, eps)
    assert report.passed, str(report)
    assert network.loss(params, x, eps) == network.loss(params, x, -2 * eps)


@pytest.fixture(scope="module")
def result():
    return run_pull(load_digits(), betas=(0.0, 1.0, 10.0), n_epochs=30)


def test_noise_alone_does_not_hold(result):
    """Sigma shrinks, or the codes move apart: only their ratio matters."""
    figures = result.cases["noise, no KL"].figures
    assert figures.std < 0.05 < 2 < figures.code_spread


def test_the_kl_alone_is_a_penalty_on_codes(result):
    figures = result.cases["KL, no noise"].figures
    assert figures.std == pytest.approx(1, abs=0.01)
    assert figures.code_spread < 0.6
    assert figures.reconstruction < result.cases["beta = 1"].figures.reconstruction


def test_together_they_are_the_best_to_sample_from(result):
    frechet = {name: case.figures.frechet for name, case in result.cases.items()}
    assert min(frechet, key=frechet.get) == "beta = 1"
    assert frechet["beta = 1"] > result.control
    assert result.cases["beta = 1"].figures.code_spread == pytest.approx(1, abs=0.15)


def test_with_a_large_beta_no_unit_is_used(result):
    assert result.cases["beta = 10"].figures.active_units == 0
    assert result.cases["beta = 10"].figures.kl < 0.01
    ranges = {name: np.ptp(case.samples, axis=0).max() for name, case in result.cases.items()}
    assert ranges["beta = 10"] < 0.2 < 0.8 < ranges["beta = 1"]  # of a pixel: all look alike
