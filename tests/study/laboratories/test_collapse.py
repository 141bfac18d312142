from itertools import product

import numpy as np
import pytest

from npvae.data import load_digits
from npvae.gradcheck import check_network
from npvae.study.laboratories.collapse import AutoregressiveNetwork, run_collapse
from tests.core.points import random_parameters

NETWORK = AutoregressiveNetwork(
    n_features=4, latent_dim=2, hidden=(5,), activation="tanh", likelihood="bernoulli", free_bits=0.2
)


def test_gradients_of_the_strong_decoder(rng):
    params = random_parameters(NETWORK, rng, 0.5)
    report = check_network(NETWORK, params, rng.uniform(size=(3, 4)), rng.standard_normal((3, 2)))
    assert report.passed, str(report)


def test_the_strong_decoder_is_a_distribution(rng):
    """For a fixed z the probabilities of all 16 binary images add up to 1."""
    params = random_parameters(NETWORK, rng)
    x = np.array(list(product([0.0, 1.0], repeat=4)))
    output, _ = NETWORK.decoder_forward(params, np.tile(rng.standard_normal(2), (16, 1)))
    reconstruction, _ = NETWORK.reconstruction_forward(params, x, output)
    assert np.exp(-reconstruction).sum() == pytest.approx(1, rel=1e-12)
    assert len(np.unique(reconstruction)) == 16


@pytest.mark.parametrize(("cause", "n_epochs"), [("noise variance 1", 12), ("strong decoder", 40)])
def test_where_collapse_is_the_optimum(cause, n_epochs):
    outcomes = run_collapse(load_digits(), causes=(cause,), n_epochs=n_epochs).outcomes[cause]
    assert outcomes["nothing"].used_units == 0
    assert outcomes["warm-up"].loss > outcomes["nothing"].loss - 0.1
    assert outcomes["free bits"].used_units == 5
    assert outcomes["free bits"].loss > outcomes["nothing"].loss + 0.5
    np.testing.assert_allclose(outcomes["free bits"].kl_per_dimension, 0.5, atol=0.2)


def test_where_training_is_stuck():
    cause = "five hidden layers"
    outcomes = run_collapse(load_digits(), causes=(cause,), n_epochs=40).outcomes[cause]
    assert outcomes["nothing"].used_units == 0
    for cure in ("warm-up", "free bits"):
        assert outcomes[cure].used_units > 0
        assert outcomes[cure].loss < outcomes["nothing"].loss - 0.5
