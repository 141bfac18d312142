"""Warnings of `fit` about what it learned: each for a model that has the fault, and for no other."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from npvae import VAE
from npvae.core.init import init_parameters
from npvae.core.vae import VAENetwork
from npvae.estimators.diagnosis import collapse_warning, log_var_warning

SETTINGS = {"hidden": (16,), "batch_size": 50, "learning_rate": 3e-3, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    """Two directions of variance about 1 and 0.3 among ten columns, and noise of variance 0.01."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((10, 2)))[0].T * np.sqrt([[1.0], [0.3]])
    return rng.standard_normal((1000, 2)) @ directions + 0.1 * rng.standard_normal((1000, 10))


def warnings_of(model, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    return [str(warning.message) for warning in caught]


def test_the_default_does_not_collapse(X):
    model = VAE(**SETTINGS)
    assert warnings_of(model, X) == []
    assert model.history_["kl"][-1] > 2


def test_a_noise_variance_above_the_datas_is_named(X):
    (found,) = warnings_of(VAE(noise_variance=2.0, max_epochs=60, tol=None, **SETTINGS), X)
    assert "all 2 latent units have a mean KL below 0.01" in found
    assert "noise_variance=2 is above the variance of the data in every direction (the largest is 1" in found
    assert 'noise_variance="learned"' in found


def test_what_is_advised_helps(X):
    collapsed = VAE(noise_variance=2.0, max_epochs=60, tol=None, **SETTINGS)
    assert warnings_of(collapsed, X)
    assert (
        warnings_of(collapsed.__class__(**{**collapsed.get_params(), "noise_variance": "learned"}), X) == []
    )


@pytest.mark.parametrize("noise_variance", ["learned", 0.3])
def test_beta_is_named_where_it_is_the_cause(noise_variance, X):
    settings = {"noise_variance": noise_variance, "max_epochs": 100, "tol": None, **SETTINGS}
    (found,) = warnings_of(VAE(beta=20, **settings), X)
    assert "beta=20" in found
    assert "noise_variance=" not in found
    assert warnings_of(VAE(beta=1, **settings), X) == []


def test_a_large_beta_with_bernoulli_data(X):
    X = (X > 0).astype(np.float32)
    (found,) = warnings_of(VAE(beta=50, likelihood="bernoulli", max_epochs=40, tol=None, **SETTINGS), X)
    assert "Cause: beta=50 times the noise variance" in found


def test_narrow_numbers_with_a_likelihood_for_binary_ones():
    """Iris in [0, 1]: the largest variance is 0.1, that of a coin flip 0.2."""
    X = MinMaxScaler().fit_transform(load_iris().data)
    (found,) = warnings_of(VAE(likelihood="bernoulli", random_state=0), X)
    assert "the Bernoulli likelihood treats numbers in [0, 1] as coin-flip probabilities" in found
    assert warnings_of(VAE(random_state=0), X) == []
    (found,) = warnings_of(VAE(likelihood="bernoulli", early_stopping=True, random_state=0), X)
    assert "all 2 latent units" in found


def test_more_units_than_the_data_have_use_for_are_no_collapse():
    X = StandardScaler().fit_transform(load_wine().data)
    assert warnings_of(VAE(latent_dim=20, random_state=0), X) == []


def test_data_without_a_direction_of_their_own(rng):
    X = rng.standard_normal((2000, 6))
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(2000)  # the covariance is the identity
    found = warnings_of(VAE(**SETTINGS | {"learning_rate": 1e-3}), X)
    assert any("Posterior collapse" in text and "columns have too little in common" in text for text in found)


def units(*kl):
    """mu and log_var of units with these KL divergences, the same for 7 samples."""
    mu = np.tile(np.sqrt(2 * np.array(kl)), (7, 1))
    return mu, np.zeros_like(mu)


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        ((0.02, 0.0), None),
        ((0.0, 0.0), "all 2 latent units have"),
        ((0.0,), "the latent unit has"),
        ((3.0, 0.0, 0.009), "2 of 3 latent units have a mean KL below 0.01 nats, so they are unused"),
        ((3.0, 0.0, 0.011), None),
    ],
)
def test_most_units_must_be_unused(kl, expected, rng):
    network = VAENetwork(n_features=4, latent_dim=len(kl), beta=900.0, likelihood="bernoulli", hidden=())
    params = init_parameters(network.shapes(), rng)
    x = (rng.random((7, 1)) > 0.5) * np.ones(4)  # one direction, of a variance far above a coin flip's
    found = collapse_warning(network, params, x, *units(*kl))
    assert (found is None) == (expected is None)
    if expected:
        assert expected in found


def test_training_that_was_too_short_is_named(rng):
    network = VAENetwork(n_features=4, latent_dim=2, likelihood="bernoulli", hidden=())
    params = init_parameters(network.shapes(), rng)
    x = (np.arange(8)[:, None] % 2) * np.ones(4)
    arguments = (network, params, x, *units(0.0, 0.0))
    assert collapse_warning(*arguments, unsettled=True).endswith(
        "Training ended before the loss had settled."
    )
    assert "Neither beta nor the noise variance explains it" in collapse_warning(*arguments)


def test_data_that_do_not_vary(rng):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=())
    params = init_parameters(network.shapes(), rng)
    assert "The data do not vary" in collapse_warning(network, params, np.ones((7, 4)), *units(0.0, 0.0))


def test_log_variances():
    log_var = np.zeros((10, 3))
    log_var[:, 0] = -79
    assert log_var_warning(np.abs(log_var).max(axis=1)) is None
    log_var[2], log_var[5, 1] = 95, -123
    found = log_var_warning(np.abs(log_var).max(axis=1))
    assert "of 2 of 10 samples" in found
    assert "the largest is 123" in found
    assert "StandardScaler" in found
