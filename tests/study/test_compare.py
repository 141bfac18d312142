"""What the comparison of an AE with a VAE measures, on digits after a short training."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import stats

from npvae import VAE, Autoencoder
from npvae.data import Dataset, load_digits
from npvae.study import SAMPLERS, PrincipalFeatures, coverage, frechet_distance
from npvae.study.compare import compare

SETTINGS = {"hidden": (64,), "likelihood": "bernoulli", "batch_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return load_digits()


@pytest.fixture(scope="module")
def models(data):
    return [cls(2, max_epochs=80, **SETTINGS).fit(data.X_train) for cls in (Autoencoder, VAE)]


@pytest.fixture(scope="module")
def comparison(data, models):
    return compare(data, *models, seed=5)


def assert_same_quality(a, b, **tolerance):
    for field in fields(a):
        assert getattr(a, field.name) == pytest.approx(getattr(b, field.name), **tolerance)


def test_the_vaes_z_is_near_the_prior_and_the_aes_is_not(comparison):
    ae, vae = comparison.ae.moments, comparison.vae.moments
    assert vae.mean_norm < 0.2
    assert np.all(np.abs(vae.std - 1) < 0.15)
    assert np.all(np.abs(vae.eigenvalues - 1) < 0.3)
    assert max(ae.mean_norm, ae.std.max() - 1) > 1
    assert ae.eigenvalues[0] > 3


def test_the_prior_samples_the_vae_and_not_the_ae(comparison):
    ae, vae = comparison.ae.samples["prior"].quality, comparison.vae.samples["prior"].quality
    assert vae.frechet < ae.frechet / 1.5
    assert vae.coverage > 1.5 * ae.coverage


def test_a_distribution_fitted_to_its_codes_samples_the_ae(comparison):
    ways = comparison.ae.samples
    assert list(ways) == ["prior", "diagonal", "full", "mixture"]
    assert list(comparison.vae.samples) == ["prior"]
    for way in ("diagonal", "full", "mixture"):
        assert ways[way].quality.frechet < ways["prior"].quality.frechet
    assert ways["mixture"].quality.coverage > ways["prior"].quality.coverage


def test_real_images_are_better_than_any_samples(comparison):
    for study in (comparison.ae, comparison.vae):
        for samples in study.samples.values():
            assert comparison.real.frechet < samples.quality.frechet / 5
            assert comparison.real.coverage > samples.quality.coverage
    assert comparison.real.frechet > 0.05, "the test images against themselves"
    assert comparison.real.coverage == pytest.approx(1 - 2**-5, abs=0.04)  # Naeem et al. (2020), lemma 2


def test_the_vae_reconstructs_less_well(comparison):
    assert comparison.vae.reconstruction.squared_error > comparison.ae.reconstruction.squared_error


def test_moments_are_of_what_the_decoder_meets(data, models, comparison):
    """Codes of the AE; for the VAE draws, whose variance is that of the means and the mean variance."""
    ae, vae = models
    codes = ae.transform(data.X_test)
    np.testing.assert_allclose(comparison.ae.moments.mean, codes.mean(axis=0), rtol=1e-5)
    eigenvalues = np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1]
    np.testing.assert_allclose(comparison.ae.moments.eigenvalues, eigenvalues, rtol=1e-4)
    mu, log_var = vae.encode(data.X_test)
    variance = mu.var(axis=0) + np.exp(log_var).mean(axis=0)
    error = np.sqrt(variance / len(mu))
    assert np.all(np.abs(comparison.vae.moments.mean - mu.mean(axis=0)) < 4 * error)
    np.testing.assert_allclose(comparison.vae.moments.std**2, variance, rtol=0.1)
    assert np.all(mu.std(axis=0) < comparison.vae.moments.std)


def test_codes_and_losses(data, models, comparison, rng):
    ae, vae = models
    np.testing.assert_array_equal(comparison.ae.codes, ae.transform(data.X_test))
    mu, log_var = vae.encode(data.X_test)
    np.testing.assert_array_equal(comparison.vae.codes, mu)
    kl = stats.norm(mu, np.exp(log_var / 2))
    z = kl.rvs(size=(200, *mu.shape), random_state=rng)
    by_monte_carlo = (kl.logpdf(z) - stats.norm.logpdf(z)).sum(axis=2).mean(axis=1)
    assert abs(comparison.vae.kl - by_monte_carlo.mean()) < 5 * by_monte_carlo.std() / np.sqrt(200)
    assert np.isnan(comparison.ae.kl)
    assert comparison.ae.test_loss == pytest.approx(
        comparison.ae.reconstruction.negative_log_likelihood, rel=1e-5
    )
    X = data.X_test
    losses = []
    for draw in z[:50]:
        p = np.clip(vae.inverse_transform(draw), 1e-12, 1 - 1e-12)
        losses.append(-(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1).mean() + comparison.vae.kl)
    assert abs(comparison.vae.test_loss - np.mean(losses)) < 5 * np.std(losses)


def test_images_are_decoded_from_z(models, comparison):
    for study, model in zip((comparison.ae, comparison.vae), models, strict=True):
        assert study.estimator is model
        for samples in study.samples.values():
            np.testing.assert_array_equal(samples.images, model.inverse_transform(samples.z))
            assert samples.z.shape == (359, 2)


def test_both_priors_are_the_same_draws(models, comparison):
    """What differs between the two pictures is the decoder alone."""
    ae, vae = (study.samples["prior"] for study in (comparison.ae, comparison.vae))
    np.testing.assert_array_equal(ae.z, vae.z)
    np.testing.assert_array_equal(vae.images, models[1].sample(359, random_state=5))
    for z in vae.z.T:
        assert stats.kstest(z, "norm").pvalue > 0.01


@pytest.mark.parametrize("way", ["diagonal", "full", "mixture"])
def test_fitted_draws_have_the_training_codes_moments(way, data, models, comparison):
    codes = models[0].transform(data.X_train)
    z, mean, covariance = comparison.ae.samples[way].z, codes.mean(axis=0), np.cov(codes, rowvar=False)
    if way == "diagonal":
        covariance = np.diag(np.diag(covariance))
    std = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(z.mean(axis=0) - mean) < 4 * std / np.sqrt(len(z)))
    assert np.all(np.abs(np.cov(z, rowvar=False) - covariance) < 0.3 * np.outer(std, std))
    again = SAMPLERS[way].fit(codes, 5).draw(len(z), np.random.default_rng(5))
    np.testing.assert_array_equal(z, again, err_msg="not those of the training images")


def test_quality_is_against_the_test_images(data, comparison):
    """All of them are compared here, so the choice of images is no matter."""
    features = PrincipalFeatures.fit(data.X_train)
    real = features.transform(data.X_test)
    for samples in (comparison.ae.samples["mixture"], comparison.vae.samples["prior"]):
        frechet = frechet_distance(real, features.transform(samples.images))
        assert samples.quality.frechet == pytest.approx(frechet, rel=1e-6)
        assert samples.quality.coverage == coverage(data.X_test, samples.images)
    assert comparison.n_compared == 359 == comparison.real.n_real == comparison.real.n_fake


def test_the_same_seed_gives_the_same_comparison(data, models):
    first, again, other = (compare(data, *models, n_samples=40, seed=seed) for seed in (1, 1, 2))
    for one, same, different in [(first.ae, again.ae, other.ae), (first.vae, again.vae, other.vae)]:
        for way, samples in one.samples.items():
            np.testing.assert_array_equal(samples.z, same.samples[way].z)
            assert samples.quality == same.samples[way].quality
            assert np.any(samples.z != different.samples[way].z)
    assert first.real == again.real != other.real
    assert first.n_compared == 40 == len(first.vae.samples["prior"].images)


def test_pixels_as_bytes_are_the_same_as_in_the_unit_interval(data):
    X_train, X_test = (np.rint(X * 255).astype(np.uint8) for X in (data.X_train, data.X_test))
    scaled = replace(data, X_train=X_train / np.float32(255), X_test=X_test / np.float32(255))
    pixels = replace(data, X_train=X_train, X_test=X_test)
    results = []
    for one in (scaled, pixels):
        one.X_train.flags.writeable = one.X_test.flags.writeable = False
        models = [cls(2, max_epochs=1, **SETTINGS).fit(one.X_train) for cls in (Autoencoder, VAE)]
        results.append(compare(one, *models, n_samples=60))
    a, b = results
    assert_same_quality(a.real, b.real, rel=1e-4)
    for one, other in [(a.ae, b.ae), (a.vae, b.vae)]:
        assert one.test_loss == pytest.approx(other.test_loss, rel=1e-3)
        assert one.reconstruction.squared_error == pytest.approx(other.reconstruction.squared_error, rel=1e-3)
        for way in one.samples:
            assert_same_quality(one.samples[way].quality, other.samples[way].quality, rel=1e-3, abs=0.02)


@pytest.mark.parametrize("n_samples", [9, 360, 0, -1])
def test_the_number_of_samples_is_checked(n_samples, data, models):
    with pytest.raises(ValueError, match=f"from 10 to 359 .*got {n_samples}"):
        compare(data, *models, n_samples=n_samples)


def test_data_too_few_to_compare(models, data):
    few = Dataset("few", data.X_train[:50], None, data.X_test[:7], None)
    with pytest.raises(ValueError, match=r"at least 10|10 test") as error:
        compare(few, *models)
    assert "10 to 7" not in str(error.value)  # a range that holds nothing, of a setting nobody made
