"""Without hidden layers a VAE is probabilistic PCA, whose best likelihood scikit-learn knows exactly."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from npvae import VAE
from npvae.training import CosineDecay

N_COMPONENTS = 3


def expected_elbo(vae, X):
    """Mean ELBO with the expectation over the noise taken exactly, as a linear decoder allows.

    E ||x - (mu + std eps) W - b||^2 = ||x - mu W - b||^2 + sum_j std_j^2 ||W_j||^2.
    """
    p = {name: value.astype(np.float64) for name, value in vae.params_.items()}
    mu, log_var = X @ p["mu.W"] + p["mu.b"], X @ p["log_var.W"] + p["log_var.b"]
    W, noise_variance = p["output.W"], np.exp(p["output.log_noise_var"][0])
    squared_error = np.sum((X - mu @ W - p["output.b"]) ** 2, axis=1) + np.exp(log_var) @ np.sum(W**2, axis=1)
    kl = np.sum(mu**2 + np.exp(log_var) - log_var - 1, axis=1) / 2
    log_likelihood = -squared_error / (2 * noise_variance) - X.shape[1] / 2 * np.log(
        2 * np.pi * noise_variance
    )
    return np.mean(log_likelihood - kl)


@pytest.fixture(scope="module")
def X():
    """Gaussian data: three directions of different strength, and noise."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((N_COMPONENTS, 12)) * np.array([[1.5], [1.0], [0.7]])
    codes, noise = rng.standard_normal((2000, N_COMPONENTS)), rng.standard_normal((2000, 12))
    return (codes @ directions + 0.5 * noise + rng.standard_normal(12)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(X):
    return VAE(
        N_COMPONENTS, hidden=(), noise_variance="learned", learning_rate=CosineDecay(0.03, 600),
        max_epochs=600, tol=None, batch_size=500, random_state=0,
    ).fit(X)  # fmt: skip


@pytest.fixture(scope="module")
def pca(X):
    return PCA(N_COMPONENTS).fit(X.astype(np.float64))


def test_reaches_the_likelihood_of_probabilistic_pca(fitted, pca, X):
    """Lucas, Tucker, Grosse & Norouzi (2019), section 4; Tipping & Bishop (1999)."""
    X = X.astype(np.float64)
    best = pca.score(X)
    elbo = expected_elbo(fitted, X)
    assert best - 0.01 < elbo < best + 1e-6
    one_component_less = PCA(N_COMPONENTS - 1).fit(X).score(X)
    assert elbo > one_component_less + 0.1  # what is asked is not met by just anything


def test_learns_the_noise_variance(fitted, pca):
    assert fitted.network_.noise_var(fitted.params_) == pytest.approx(pca.noise_variance_, rel=0.02)


def test_decodes_along_the_principal_components(fitted, pca):
    """The decoder's columns span the same space as the components."""
    W = fitted.params_["output.W"].astype(np.float64)
    in_span = W @ pca.components_.T @ pca.components_
    np.testing.assert_allclose(in_span, W, atol=0.05 * np.abs(W).max())


def test_its_score_estimates_the_expected_elbo(fitted, X):
    X = X.astype(np.float64)
    scores = fitted.score_samples(X)
    assert abs(np.mean(scores) - expected_elbo(fitted, X)) < 4 * np.std(scores) / np.sqrt(len(X))
