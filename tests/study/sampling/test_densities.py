import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from npvae.study import FittedGaussian, FittedMixture, ResampledCodes, StandardNormal
from tests.study.sampling.codes import CORRELATED, assert_moments, correlated_codes

N_DRAWS = 40_000


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


def test_errors(rng):
    codes = rng.standard_normal((50, 2))
    with pytest.raises(ValueError, match=r"at least 10 distinct codes, got 3 among 3"):
        FittedMixture.fit(codes[:3])
    with pytest.raises(ValueError, match=r"at least 10 distinct codes, got 5 among 50"):
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


def test_codes_drawn_again_come_once_before_any_comes_twice(rng):
    codes = rng.standard_normal((30, 2)).astype(np.float32)
    sampler = ResampledCodes.fit(codes)
    drawn = sampler.draw(75, rng)
    values, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(values, np.unique(codes, axis=0))
    assert set(counts) == {2, 3}
    for start in (0, 30):
        assert len(np.unique(drawn[start : start + 30], axis=0)) == 30
    assert not np.array_equal(drawn[:30], codes)
