import numpy as np
import pytest
from scipy import stats

from npvae import VAE, Autoencoder
from npvae.study import reconstruction_error

PIXELS = np.random.default_rng(0).integers(256, size=(1500, 12), dtype=np.uint8)  # more than a block


@pytest.mark.parametrize("estimator", [Autoencoder, VAE])
@pytest.mark.parametrize("noise_variance", [0.3, "learned"])
def test_gaussian(estimator, noise_variance):
    model = estimator(noise_variance=noise_variance, hidden=(8,), max_epochs=1, random_state=0).fit(PIXELS)
    X, reconstruction = PIXELS / 255, model.reconstruct(PIXELS)
    std = np.sqrt(model.network_.noise_var(model.params_))
    error = reconstruction_error(model, PIXELS)
    assert error.n_samples == 1500
    assert error.squared_error == pytest.approx(np.sum((X - reconstruction) ** 2, axis=1).mean(), rel=1e-5)
    nats = -stats.norm.logpdf(X, reconstruction, std).sum(axis=1).mean()
    assert error.negative_log_likelihood == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("estimator", [Autoencoder, VAE])
def test_bernoulli(estimator):
    X = (PIXELS > 127).astype(np.float64)
    model = estimator(likelihood="bernoulli", hidden=(8,), max_epochs=1, random_state=0).fit(X)
    p = model.reconstruct(X)
    error = reconstruction_error(model, X)
    assert error.squared_error == pytest.approx(np.sum((X - p) ** 2, axis=1).mean())
    assert error.negative_log_likelihood == pytest.approx(-stats.bernoulli.logpmf(X, p).sum(axis=1).mean())


def test_an_autoencoders_is_its_score():
    model = Autoencoder(hidden=(8,), max_epochs=1, random_state=0).fit(PIXELS)
    assert reconstruction_error(model, PIXELS).negative_log_likelihood == pytest.approx(
        -model.score(PIXELS), rel=1e-5
    )


def test_data_out_of_the_likelihoods_range():
    model = VAE(likelihood="bernoulli", hidden=(8,), max_epochs=1, random_state=0).fit(PIXELS)
    far = pytest.warns(UserWarning, match="Pixels 0..255 must be passed as uint8")
    with far, pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        reconstruction_error(model, PIXELS.astype(np.float64))
