"""Scores: the same noise for every sample, so that they are continuous, and exact enough."""

import numpy as np
import pytest
from scipy import stats

from npvae import VAE
from npvae.estimators.score_draws import shared_noise


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(4)
    return rng.random((300, 2)) @ rng.random((2, 6)) + 0.1 * rng.standard_normal((300, 6))


@pytest.fixture(scope="module")
def vae(X):
    return VAE(hidden=(16,), batch_size=30, random_state=0).fit(X)


@pytest.mark.parametrize("n_draws", [4, 64, 100])
@pytest.mark.parametrize("latent_dim", [1, 2, 50])
def test_columns_are_standardised(n_draws, latent_dim):
    eps = shared_noise(n_draws, latent_dim)
    assert eps.shape == (n_draws, latent_dim)
    np.testing.assert_allclose(eps.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(eps.std(axis=0), 1, rtol=1e-12)


def test_they_are_spread_as_the_normal_distribution_is():
    eps = shared_noise(1024, 3)
    for column in eps.T:
        assert stats.kstest(column, "norm").statistic < 0.01  # 0.03 is usual for independent draws
    assert np.abs(np.corrcoef(eps.T) - np.eye(3)).max() < 0.02


@pytest.mark.parametrize("n_draws", [1, 3])
def test_few_draws_are_not_standardised(n_draws):
    """One draw less its mean would be no noise at all, and of three too little of it would be left."""
    draws = np.array([shared_noise(n_draws, 5, seed) for seed in range(2000)])
    np.testing.assert_allclose(draws.std(), 1, rtol=0.03)
    assert np.all(np.abs(draws.mean(axis=1)).max(axis=0) > 0.5)


def test_scores_are_continuous(vae, X):
    """Moving a row by h moves its score in proportion to h."""
    direction = np.random.default_rng(0).standard_normal(X.shape)
    before = vae.score_samples(X)
    changes = [np.abs(vae.score_samples(X + h * direction) - before).max() for h in (1e-4, 1e-6, 1e-8)]
    assert changes[0] < 0.5
    np.testing.assert_allclose(changes[0] / changes[1], 100, rtol=0.1)
    np.testing.assert_allclose(changes[1] / changes[2], 100, rtol=0.1)


def test_more_draws_come_nearer_to_the_exact_elbo(vae, X):
    params, rng = vae.params_.astype(np.float64), np.random.default_rng(1)
    mu, _ = vae.encode(X)
    exact, n = np.zeros(len(X)), 4000
    for _ in range(n):
        (reconstruction, kl), _ = vae.network_.forward(params, X, rng.standard_normal(mu.shape))
        exact -= (reconstruction + kl) / n
    errors = [np.abs(vae.score_samples(X, n_draws=k) - exact).mean() for k in (4, 64, 1024)]
    assert errors[0] > 3 * errors[1]
    assert errors[1] < 0.1
    assert errors[2] < 0.05


@pytest.mark.parametrize("n_draws", [0, -1, 2.0, True])
def test_the_number_of_draws(n_draws, vae, X):
    with pytest.raises(ValueError, match=f"n_draws must be an integer of at least 1, got {n_draws!r}"):
        vae.score_samples(X, n_draws=n_draws)
