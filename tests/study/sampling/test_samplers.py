import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.study import SAMPLERS, WAYS, StandardNormal, draw_codes
from tests.study.sampling.codes import assert_moments, correlated_codes

N_DRAWS = 40_000


@pytest.fixture(scope="module")
def models():
    X = np.random.default_rng(0).random((200, 12))
    return [cls(latent_dim=3, hidden=(8,), max_epochs=2, random_state=0).fit(X) for cls in (Autoencoder, VAE)]


@pytest.mark.parametrize("name", ["diagonal", "full", "mixture"])
def test_a_dead_dimension_stays_dead(name, rng):
    codes = rng.standard_normal((300, 3)).astype(np.float32)
    codes[:, 1] = 0.3
    Z = SAMPLERS[name].fit(codes, 0).draw(100, rng)
    np.testing.assert_allclose(Z[:, 1], 0.3, rtol=1e-6)
    assert Z[:, 0].std() > 0.5


@pytest.mark.parametrize("n_distinct", [1, 4, 10, 11])
def test_a_mixture_of_as_many_as_there_are_codes(n_distinct, rng):
    """At most 10: of a collapsed model, whose codes are few points, every one has a component."""
    points = 10 * rng.permutation(n_distinct * 2).reshape(n_distinct, 2).astype(np.float32)
    codes = np.repeat(points, 30, axis=0)
    mixture = SAMPLERS["mixture"].fit(codes, 0)
    assert len(mixture.weights) == min(n_distinct, 10)
    if n_distinct <= 10:
        Z = mixture.draw(500, rng)
        nearest = np.abs(Z[:, None] - points).max(axis=2)
        assert nearest.min(axis=1).max() < 1, "the nearest two points are 10 apart"
        assert set(nearest.argmin(axis=1)) == set(range(n_distinct))


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_generator_gives_the_same_bits(name, rng):
    codes = correlated_codes(rng, 500)
    first, again = (SAMPLERS[name].fit(codes, 7).draw(50, np.random.default_rng(3)) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (50, 3)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != SAMPLERS[name].fit(codes, 7).draw(50, np.random.default_rng(4)).tobytes()


def test_ways():
    """Every way is a sampler, and every sampler a way of the VAE."""
    assert list(WAYS["VAE"]) == list(SAMPLERS)
    assert set(WAYS["AE"]) == set(SAMPLERS) - {"aggregate"}


@pytest.mark.parametrize("name", ["aggregate", "reconstructions"])
def test_what_is_drawn_again_decodes_to_what_the_decoder_has_met(name, models, rng):
    vae, X = models[1], rng.random((40, 12))
    codes = vae.transform(X) if SAMPLERS[name].means else draw_codes(vae, X, rng)
    images = vae.inverse_transform(SAMPLERS[name].fit(codes, 0).draw(40, rng))
    expected = vae.inverse_transform(codes.astype(np.float32))
    np.testing.assert_allclose(np.sort(images, axis=0), np.sort(expected, axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", ["diagonal", "full", "mixture"])
def test_fitting_leaves_the_codes_alone(name, rng):
    codes = correlated_codes(rng, 100)
    codes.flags.writeable = False
    SAMPLERS[name].fit(codes, 0)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("n_samples", [0, 2.5, True])
def test_the_number_of_samples_is_checked(name, n_samples, rng):
    sampler = SAMPLERS[name].fit(rng.standard_normal((50, 2)), 0)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        sampler.draw(n_samples, rng)


def test_images_from_the_prior_are_those_of_the_estimator(models):
    for model in models:
        images = model.inverse_transform(StandardNormal(3).draw(5, np.random.default_rng(8)))
        np.testing.assert_array_equal(images, model.sample(5, random_state=8))


def test_codes_of_an_autoencoder_are_its_codes(models, rng):
    X = rng.random((20, 12))
    np.testing.assert_array_equal(draw_codes(models[0], X, rng), models[0].transform(X))


def test_codes_of_a_vae_are_draws_from_the_posterior(models, rng):
    vae = models[1]
    X = np.repeat(rng.random((1, 12)), N_DRAWS, axis=0)
    mu, log_var = vae.encode(X[:1])
    assert_moments(draw_codes(vae, X, rng), mu[0], np.diag(np.exp(log_var[0])))
    assert draw_codes(vae, X[:3].astype(np.float32), rng).dtype == np.float32
