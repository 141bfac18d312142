"""ln p(x) against the two cases where it is known: linear decoders, and one latent dimension."""

import copy
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from npvae import VAE, Autoencoder
from npvae.core.likelihoods import bernoulli_forward
from npvae.study.posterior.log_marginal import log_marginal_likelihood

Z, D = 3, 8


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    codes, noise = rng.standard_normal((300, Z)), rng.standard_normal((300, D))
    return codes @ rng.standard_normal((Z, D)) + 0.7 * noise + rng.standard_normal(D)


@pytest.fixture(scope="module")
def linear(X):
    """Trained so long that q(z | x) covers the posterior, and so briefly that it is not the posterior."""
    return VAE(
        Z, hidden=(), noise_variance=0.5, learning_rate=0.02, batch_size=100, max_epochs=30, random_state=0
    ).fit(X)


@pytest.fixture(scope="module")
def exact(linear, X):
    """x = z W + b + noise is normal with mean b and covariance W^T W + s I."""
    W, b = (linear.params_[name].astype(np.float64) for name in ("output.W", "output.b"))
    return stats.multivariate_normal(b, W.T @ W + 0.5 * np.eye(D)).logpdf(X)


@pytest.fixture(scope="module")
def binary():
    return (np.random.default_rng(1).random((60, 12)) < np.linspace(0.1, 0.9, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def curved(binary):
    """One latent dimension, a decoder with a hidden layer, Bernoulli pixels."""
    return VAE(
        1, hidden=(16,), activation="tanh", likelihood="bernoulli", learning_rate=1e-2, max_epochs=60,
        random_state=0,
    ).fit(binary)  # fmt: skip


def test_a_linear_vae_has_the_likelihood_of_a_normal_distribution(linear, X, exact):
    found = log_marginal_likelihood(linear, X, n_samples=2000, random_state=0)
    deviation = (found.log_likelihood - exact) / found.standard_error
    assert np.all(np.abs(deviation) < 5)  # the largest of 300
    assert np.mean(np.abs(deviation) < 2) > 0.9
    mean_error = np.sqrt(np.sum(found.standard_error**2)) / len(X)
    assert abs(np.mean(found.log_likelihood - exact)) < 4 * mean_error


def test_bernoulli_pixels_agree_with_quadrature(curved, binary):
    """p(x) = integral of p(x | z) p(z) over the line, by the trapezoidal rule."""
    params, z = curved.params_.astype(np.float64), np.linspace(-9, 9, 4001)
    logits, _ = curved.network_.decoder_forward(params, z[:, None])
    exact = [
        np.log(
            np.trapezoid(np.exp(bernoulli_forward(np.tile(x, (len(z), 1)), logits)[0]) * stats.norm.pdf(z), z)
        )
        for x in binary.astype(np.float64)
    ]
    found = log_marginal_likelihood(curved, binary, n_samples=3000, random_state=0)
    assert np.all(np.abs(found.log_likelihood - exact) < 5 * found.standard_error)
    assert found.standard_error.max() < 0.05  # what is asked is not met by just anything


def test_it_rises_with_the_number_of_draws_from_the_elbo_to_the_likelihood(linear, X, exact):
    def mean(n_samples):
        runs = [log_marginal_likelihood(linear, X, n_samples=n_samples, random_state=s) for s in range(40)]
        return np.mean([run.log_likelihood for run in runs])

    one, few, many = mean(1), mean(4), mean(30)
    assert one + 0.01 < few < many - 0.001
    assert many < exact.mean() + 0.005
    assert one == pytest.approx(linear.score(X), abs=0.3)
    assert log_marginal_likelihood(linear, X, random_state=0).log_likelihood.mean() > linear.score(X)


def test_the_standard_error_is_the_spread_over_seeds(linear, X):
    runs = [log_marginal_likelihood(linear, X, n_samples=200, random_state=seed) for seed in range(100)]
    spread = np.std([run.log_likelihood for run in runs], axis=0, ddof=1)
    told = np.sqrt(np.mean([run.standard_error**2 for run in runs], axis=0))
    assert np.median(told / spread) == pytest.approx(1, abs=0.1)
    sizes = np.array([run.effective_sample_size for run in runs])
    assert sizes.min() >= 1
    assert sizes.max() <= 200 * (1 + 1e-12)


def test_equal_weights_have_no_error():
    """A decoder that ignores z and an encoder that answers with the prior: every weight is p(x)."""
    X = np.random.default_rng(2).standard_normal((5, 3))
    vae = VAE(2, hidden=(), max_epochs=1, random_state=0).fit(X)
    vae.params_.flat[:] = 0
    found = log_marginal_likelihood(vae, X, n_samples=50, random_state=0)
    np.testing.assert_allclose(found.log_likelihood, stats.norm.logpdf(X).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.effective_sample_size, 50)
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-7)


def test_very_unlikely_samples_do_not_underflow(linear, X):
    with pytest.warns(UserWarning, match="3 of 3 rows"):
        found = log_marginal_likelihood(linear, X[:3] + 100, n_samples=10, random_state=0)
    assert np.all(found.log_likelihood < -1000)
    assert np.all(np.isfinite(found.log_likelihood))


def test_one_draw_has_no_standard_error(linear, X):
    found = log_marginal_likelihood(linear, X[:4], n_samples=1, random_state=0)
    assert np.all(np.isnan(found.standard_error))
    assert np.all(found.effective_sample_size == 1)


@pytest.mark.parametrize("n", [1, 7, 300])
def test_float32_agrees_with_float64(n, linear, X, exact):
    """In float64 the draws are others, so only the estimates can be compared."""
    narrow = log_marginal_likelihood(linear, X[:n].astype(np.float32), n_samples=3000, random_state=0)
    wide = log_marginal_likelihood(linear, X[:n], n_samples=3000, random_state=0)
    error = np.hypot(narrow.standard_error, wide.standard_error)
    assert np.all(np.abs(narrow.log_likelihood - wide.log_likelihood) < 5 * error + 1e-4)
    assert {part.dtype for part in (*narrow, *wide)} == {np.dtype(np.float64)}
    assert {part.shape for part in (*narrow, *wide)} == {(n,)}


def test_the_same_seed_gives_the_same_bits(linear, X):
    def bits(seed):
        return np.array(log_marginal_likelihood(linear, X[:20], n_samples=9, random_state=seed)).tobytes()

    assert bits(3) == bits(3) == bits(np.random.default_rng(3))
    assert bits(3) != bits(4)
    assert bits(None) != bits(None)


def test_containers_and_pixels(curved, binary):
    def of(X):
        return log_marginal_likelihood(curved, X, n_samples=5, random_state=0).log_likelihood

    expected = of(binary)
    of_pixels = copy.copy(curved)
    of_pixels.pixels_ = True
    found = log_marginal_likelihood(of_pixels, (255 * binary).astype(np.uint8), n_samples=5, random_state=0)
    np.testing.assert_array_equal(found.log_likelihood, expected)
    np.testing.assert_array_equal(of(np.asfortranarray(binary)), expected)
    np.testing.assert_allclose(of(pd.DataFrame(binary)), expected)
    np.testing.assert_array_equal(of(binary.tolist()), of(binary.astype(np.float64)))


@pytest.mark.parametrize(("n", "n_samples"), [(2500, 2), (2500, 20), (10, 1000), (10, 20000)])
def test_memory_does_not_grow_with_the_number_of_draws(n, n_samples):
    X = np.random.default_rng(0).random((n, 64), dtype=np.float32)
    vae = VAE(2, hidden=(32,), likelihood="bernoulli", max_epochs=1, random_state=0).fit(X[:100])
    log_marginal_likelihood(vae, X[:10], n_samples=1)
    tracemalloc.start()
    log_marginal_likelihood(vae, X, n_samples=n_samples, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 2 * 512 * 64 * 4  # ten arrays the size of what two threads decode at once


def test_what_it_refuses(linear, curved, X):
    with pytest.raises(TypeError, match="got Autoencoder"):
        log_marginal_likelihood(Autoencoder(hidden=(), max_epochs=1).fit(X), X)
    with pytest.raises(NotFittedError, match="This VAE instance is not fitted yet"):
        log_marginal_likelihood(VAE(), X)
    for n_samples in (0, -1, 2.0, True, None):
        with pytest.raises(
            ValueError, match=f"n_samples must be an integer of at least 1, got {n_samples!r}"
        ):
            log_marginal_likelihood(linear, X, n_samples=n_samples)
    with pytest.raises(ValueError, match="X has 7 features, but VAE is expecting 8"):
        log_marginal_likelihood(linear, X[:, :7])
    with pytest.raises(ValueError, match="contains NaN"):
        log_marginal_likelihood(linear, np.where(X > 2, np.nan, X))
    with pytest.raises(ValueError, match=r"from 0 to 2, outside \[0, 1\]"):
        log_marginal_likelihood(curved, np.repeat([[0.0], [2.0]], 12, axis=1))


def test_data_and_parameters_are_left_alone(linear, X):
    rows, flat = X.copy(), linear.params_.flat.copy()
    log_marginal_likelihood(linear, X, n_samples=3, random_state=0)
    np.testing.assert_array_equal(X, rows)
    np.testing.assert_array_equal(linear.params_.flat, flat)


def test_the_same_bits_with_any_number_of_threads(linear, X):
    found = []
    for n_threads in (1, 2, 3):
        linear.set_params(n_threads=n_threads)
        found.append(log_marginal_likelihood(linear, X, n_samples=20, random_state=0))
    linear.set_params(n_threads=None)
    for estimates in found[1:]:
        np.testing.assert_array_equal(np.array(estimates), np.array(found[0]))
