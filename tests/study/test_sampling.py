import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from npvae import VAE, Autoencoder
from npvae.study import SAMPLERS, FittedGaussian, FittedMixture, StandardNormal, draw_codes, draw_images

N_DRAWS = 40_000
CORRELATED = np.array([[2.0, 0.0, 0.0], [1.2, 0.5, 0.0], [-0.3, 0.1, 0.05]])


def correlated_codes(rng, n=3000):
    return rng.standard_normal((n, 3)) @ CORRELATED.T + [5, -3, 0.5]


def assert_moments(Z, mean, covariance):
    """Within five standard errors; draws are nearly normal."""
    n, std = len(Z), np.sqrt(np.diag(covariance))
    assert np.all(np.abs(Z.mean(axis=0) - mean) <= 5 * std / np.sqrt(n) + 1e-6)
    bound = 5 * np.sqrt((np.outer(std, std) ** 2 + covariance**2) / n)
    assert np.all(np.abs(np.cov(Z, rowvar=False) - covariance) <= bound + 1e-6)


@pytest.fixture(scope="module")
def models():
    X = np.random.default_rng(0).random((200, 12))
    return [cls(latent_dim=3, hidden=(8,), max_epochs=2, random_state=0).fit(X) for cls in (Autoencoder, VAE)]


def test_standard_normal_has_the_priors_moments(rng):
    assert_moments(StandardNormal(3).draw(N_DRAWS, rng), np.zeros(3), np.eye(3))


def test_diagonal_gaussian_takes_means_and_variances_and_no_more(rng):
    codes = correlated_codes(rng)
    sampler = FittedGaussian.fit(codes, "diagonal")
    np.testing.assert_allclose(sampler.covariance, np.diag(codes.var(axis=0, ddof=1)), rtol=1e-12)
    assert_moments(sampler.draw(N_DRAWS, rng), codes.mean(axis=0), np.diag(codes.var(axis=0, ddof=1)))


def test_full_gaussian_takes_the_covariance(rng):
    codes = correlated_codes(rng)
    sampler = FittedGaussian.fit(codes, "full")
    np.testing.assert_allclose(sampler.covariance, np.cov(codes, rowvar=False), rtol=1e-10, atol=1e-12)
    assert_moments(sampler.draw(N_DRAWS, rng), codes.mean(axis=0), np.cov(codes, rowvar=False))


def test_full_gaussian_of_fewer_codes_than_dimensions(rng):
    codes = rng.standard_normal((4, 10))
    sampler = FittedGaussian.fit(codes)
    np.testing.assert_allclose(sampler.covariance, np.cov(codes, rowvar=False), atol=1e-12)
    assert sampler.draw(5, rng).shape == (5, 10)


def test_mixture_agrees_with_scikit_learn(rng):
    """The scaling inside is affine, so weights, means and covariances must be a fixed point of plain EM."""
    centres = np.array([[0, 0], [8, 1], [-5, 900]])
    codes = centres[rng.integers(3, size=1500)] + rng.standard_normal((1500, 2)) * [1, 30]
    ours = FittedMixture.fit(codes, 3)
    theirs = GaussianMixture(3, random_state=0, reg_covar=1e-9, tol=1e-6).fit(codes)
    order, their_order = np.argsort(ours.means[:, 0]), np.argsort(theirs.means_[:, 0])
    covariances = ours.factors.transpose(0, 2, 1) @ ours.factors
    np.testing.assert_allclose(ours.weights[order], theirs.weights_[their_order], rtol=1e-2)
    np.testing.assert_allclose(ours.means[order], theirs.means_[their_order], atol=0.5)
    np.testing.assert_allclose(covariances[order], theirs.covariances_[their_order], rtol=0.02, atol=0.5)


def test_mixtures_draws_have_the_mixtures_moments(rng):
    means = np.array([[4.0, 0.0, 1.0], [-1.0, 0.5, 1.0]])
    mixture = FittedMixture(np.array([0.2, 0.8]), means, np.stack([CORRELATED.T, np.eye(3)]))
    mean = mixture.weights @ mixture.means
    apart = mixture.means - mean
    covariance = 0.2 * CORRELATED @ CORRELATED.T + 0.8 * np.eye(3) + (apart.T * mixture.weights) @ apart
    assert_moments(mixture.draw(N_DRAWS, rng), mean, covariance)


def test_a_fitted_mixture_has_the_codes_moments(rng):
    """EM keeps the first two moments of the data."""
    codes = np.concatenate([correlated_codes(rng), rng.standard_normal((1000, 3))])
    Z = FittedMixture.fit(codes, 4).draw(N_DRAWS, rng)
    assert_moments(Z, codes.mean(axis=0), np.cov(codes, rowvar=False))


def test_the_mixture_uses_some_of_many_codes(rng):
    codes = rng.standard_normal((30_000, 1))
    few, other = FittedMixture.fit(codes, 1, seed=1), FittedMixture.fit(codes, 1, seed=2)
    assert few.means != other.means
    assert abs(few.means[0, 0] - codes.mean()) < 5 / np.sqrt(10_000)


@pytest.mark.parametrize("name", ["diagonal", "full", "mixture"])
def test_a_dead_dimension_stays_dead(name, rng):
    codes = rng.standard_normal((300, 3)).astype(np.float32)
    codes[:, 1] = 0.3
    Z = SAMPLERS[name].fit(codes, 0).draw(100, rng)
    np.testing.assert_allclose(Z[:, 1], 0.3, rtol=1e-6)
    assert Z[:, 0].std() > 0.5


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_generator_gives_the_same_bits(name, rng):
    codes = correlated_codes(rng, 500)
    first, again = (SAMPLERS[name].fit(codes, 7).draw(50, np.random.default_rng(3)) for _ in range(2))
    assert first.dtype == np.float32
    assert first.shape == (50, 3)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != SAMPLERS[name].fit(codes, 7).draw(50, np.random.default_rng(4)).tobytes()


def test_labels():
    labels = [kind.label for kind in SAMPLERS.values()]
    assert labels == ["N(0, I)", "diagonal Gaussian", "full Gaussian", "mixture of 10"]


@pytest.mark.parametrize("name", ["diagonal", "full", "mixture"])
def test_fitting_leaves_the_codes_alone(name, rng):
    codes = correlated_codes(rng, 100)
    codes.flags.writeable = False
    SAMPLERS[name].fit(codes, 0)


def test_errors(rng):
    codes = rng.standard_normal((50, 2))
    with pytest.raises(ValueError, match=r"needs at least 10 different codes, got 3 among 3"):
        FittedMixture.fit(codes[:3])
    with pytest.raises(ValueError, match=r"needs at least 10 different codes, got 5 among 50"):
        FittedMixture.fit(codes[np.arange(50) % 5])
    with pytest.raises(ValueError, match="n_components must be an integer of at least 1, got 0"):
        FittedMixture.fit(codes, 0)
    with pytest.raises(ValueError, match="codes must have at least 2 rows, got 1"):
        FittedGaussian.fit(codes[:1])
    with pytest.raises(ValueError, match='covariance must be "diagonal" or "full", got \'tied\''):
        FittedGaussian.fit(codes, "tied")
    with pytest.raises(ValueError, match="codes holds NaN or infinity"):
        FittedGaussian.fit([[0.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="codes must be a matrix"):
        FittedGaussian.fit(codes[:, 0])
    with pytest.raises(ValueError, match="latent_dim must be an integer of at least 1"):
        StandardNormal(0)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("n_samples", [0, 2.5, True])
def test_the_number_of_samples_is_checked(name, n_samples, rng):
    sampler = SAMPLERS[name].fit(rng.standard_normal((50, 2)), 0)
    with pytest.raises(ValueError, match="n_samples must be an integer of at least 1"):
        sampler.draw(n_samples, rng)


def test_images_from_the_prior_are_those_of_the_estimator(models):
    for model in models:
        images = draw_images(model, StandardNormal(3), 5, np.random.default_rng(8))
        np.testing.assert_array_equal(images, model.sample(5, random_state=8))


def test_images_from_another_latent_dimension(models, rng):
    with pytest.raises(ValueError, match="Z must have 3 columns"):
        draw_images(models[0], StandardNormal(2), 5, rng)


def test_codes_of_an_autoencoder_are_its_codes(models, rng):
    X = rng.random((20, 12))
    np.testing.assert_array_equal(draw_codes(models[0], X, rng), models[0].transform(X))


def test_codes_of_a_vae_are_draws_from_the_posterior(models, rng):
    vae = models[1]
    X = np.repeat(rng.random((1, 12)), N_DRAWS, axis=0)
    mu, log_var = vae.encode(X[:1])
    assert_moments(draw_codes(vae, X, rng), mu[0], np.diag(np.exp(log_var[0])))
    assert draw_codes(vae, X[:3].astype(np.float32), rng).dtype == np.float32
