"""That the models learn what can be learned."""

import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.data import load_digits


@pytest.fixture(scope="module")
def digits():
    """Black-and-white training and test images."""
    data = load_digits()
    return (data.X_train > 0.5).astype(np.float32), (data.X_test > 0.5).astype(np.float32)


OVERFIT = {
    "hidden": (64,),
    "learning_rate": 1e-2,
    "max_epochs": 400,
    "batch_size": 8,
    "tol": None,
    "random_state": 0,
}


def test_an_autoencoder_learns_eight_images_by_heart(digits):
    """The least possible loss is 0 nats; a network that knows nothing has 64 ln 2 = 44."""
    eight = digits[0][:8]
    model = Autoencoder(8, likelihood="bernoulli", **OVERFIT).fit(eight)
    assert -model.score(eight) < 0.1
    np.testing.assert_array_equal(model.reconstruct(eight) > 0.5, eight > 0.5)


def test_a_vae_with_a_weak_prior_learns_eight_images_by_heart(digits):
    eight = digits[0][:8]
    model = VAE(8, likelihood="bernoulli", beta=1e-3, **OVERFIT).fit(eight)
    assert model.history_["reconstruction"][-1] < 0.5
    np.testing.assert_array_equal(model.reconstruct(eight) > 0.5, eight > 0.5)


def test_a_gaussian_vae_with_a_weak_prior_learns_eight_images_by_heart(digits):
    eight = digits[0][:8]
    model = VAE(8, noise_variance=0.5, beta=1e-4, **OVERFIT).fit(eight)
    np.testing.assert_allclose(model.reconstruct(eight), eight, atol=0.1)


def test_an_overwhelming_prior_leaves_nothing_in_the_code(digits):
    """Then the KL is 0 and every image gets the same reconstruction: the mean."""
    X, _ = digits
    model = VAE(
        2, likelihood="bernoulli", beta=1e4, hidden=(16,), learning_rate=1e-2, max_epochs=20,
        init_output_bias=True, random_state=0,
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"all 2 latent units.*Cause: beta=10000 times"):
        model.fit(X)
    assert model.history_["kl"][-1] < 1e-3
    assert np.ptp(model.reconstruct(X), axis=0).max() < 0.05


@pytest.fixture(scope="module")
def vae(digits):
    settings = {
        "hidden": (128,),
        "max_epochs": 30,
        "learning_rate": 3e-3,
        "batch_size": 64,
        "random_state": 0,
    }
    return VAE(10, likelihood="bernoulli", **settings).fit(digits[0])


def baseline(train, test):
    """Nats of test images whose pixels are independent, each with its frequency in the training images."""
    p = np.clip(train.mean(axis=0, dtype=np.float64), 1e-3, 1 - 1e-3)
    return -np.mean(np.sum(test * np.log(p) + (1 - test) * np.log(1 - p), axis=1))


def test_a_vae_beats_independent_pixels(vae, digits):
    train, test = digits
    assert -vae.score(test) < baseline(train, test) - 4  # 24.7 nats


def test_its_samples_are_more_like_digits_than_independent_pixels_are(vae, digits):
    """Squared distance to the nearest of the test images, each pixel drawn from its probability."""
    train, test = digits
    rng = np.random.default_rng(0)

    def distance(probabilities):
        images = rng.random(probabilities.shape) < probabilities
        return np.mean([np.min(np.sum((test - image) ** 2, axis=1)) for image in images])

    independent = np.tile(train.mean(axis=0), (200, 1))
    assert distance(vae.sample(200, random_state=0)) < 0.8 * distance(independent)
