"""Against scipy's densities one pair at a time, and models where the answer is known."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from npvae.core.gaussian import kl_forward
from npvae.study.posterior import information as posterior
from npvae.study.posterior.information import (
    active_units,
    kl_per_dimension,
    log_mixture_density,
    mutual_information,
)


def linear_gaussian(n, slope, std, seed=0):
    """q(z | x) = N(slope x, std^2) in each dimension, for x ~ N(0, I)."""
    x = np.random.default_rng(1000 + seed).standard_normal((n, len(slope)))
    return x * slope, np.tile(2 * np.log(std), (n, 1))


@pytest.fixture
def encoded(rng):
    return rng.standard_normal((40, 3)) * [2, 1, 0.1], rng.uniform(-3, 0.5, (40, 3))


def test_kl_per_dimension_sums_to_the_mean_kl(encoded):
    np.testing.assert_allclose(kl_per_dimension(*encoded).sum(), kl_forward(*encoded)[0].mean(), rtol=1e-12)


def test_kl_per_dimension_by_quadrature(encoded):
    def kl(mu, log_var):
        q = stats.norm(mu, np.exp(log_var / 2))
        return q.expect(lambda z: q.logpdf(z) - stats.norm.logpdf(z))

    mu, log_var = (part[:5] for part in encoded)
    expected = [np.mean([kl(*pair) for pair in zip(mu[:, j], log_var[:, j], strict=True)]) for j in range(3)]
    np.testing.assert_allclose(kl_per_dimension(mu, log_var), expected, rtol=1e-8)


def test_active_units(rng):
    mu = rng.standard_normal((5000, 4)) * np.sqrt([1.0, 0.02, 0.005, 0.0]) + [0, 0, 5, 5]
    np.testing.assert_array_equal(active_units(mu), [True, True, False, False])
    np.testing.assert_array_equal(active_units(mu, threshold=0.1), [True, False, False, False])


def test_mixture_density_one_pair_at_a_time(encoded, rng):
    mu, log_var = encoded
    z = 2 * rng.standard_normal((25, 3)) + 50  # far from all components, too
    z[:20] -= 50
    expected = []
    for point in z:
        logs = [stats.norm.logpdf(point, *pair).sum() for pair in zip(mu, np.exp(log_var / 2), strict=True)]
        expected.append(np.logaddexp.reduce(logs) - np.log(40))
    np.testing.assert_allclose(log_mixture_density(z, mu, log_var), expected, rtol=1e-10)


def test_blocks_make_no_difference(encoded, monkeypatch):
    whole = mutual_information(*encoded, random_state=0)
    monkeypatch.setattr(posterior, "_PAIRS", 100)
    assert mutual_information(*encoded, random_state=0) == pytest.approx(whole, rel=1e-12)


def test_information_by_its_definition(encoded):
    """With other draws than the code's: E ln q(z | x) - ln q_N(z), 300 z for each x."""
    mu, log_var = encoded
    std, terms = np.exp(log_var / 2), []
    for i, eps in enumerate(np.random.default_rng(5).standard_normal((40, 300, 3))):
        z = mu[i] + std[i] * eps
        logs = stats.norm.logpdf(z[:, None], mu, std).sum(axis=2)  # (draws, components)
        terms.append(np.mean(logs[:, i] - np.logaddexp.reduce(logs, axis=1) + np.log(40)))
    found = [mutual_information(mu, log_var, random_state=seed).value for seed in range(60)]
    error = np.hypot(np.std(found) / np.sqrt(60), 3 / np.sqrt(12_000))
    assert abs(np.mean(found) - np.mean(terms)) < 4 * error
    assert np.std(found) < mutual_information(mu, log_var, random_state=0).standard_error < 1


@pytest.mark.parametrize(("slope", "std"), [([0.9], [0.5]), ([0.9, 0.6, 0.0], [0.5, 0.8, 1.0])])
def test_information_of_a_gaussian_channel(slope, std):
    """I(x; z) = sum (1/2) ln(1 + slope^2 / std^2)."""
    exact = np.sum(np.log1p((np.array(slope) / std) ** 2)) / 2
    found = mutual_information(*linear_gaussian(4000, slope, std), random_state=0)
    assert abs(found.value - exact) < 4 * found.standard_error
    assert found.standard_error < 0.02


def test_information_is_capped_at_ln_n():
    """Means far apart give x away; in all other cases it is less."""
    apart = mutual_information(100.0 * np.arange(50)[:, None], np.zeros((50, 1)), random_state=0)
    assert apart.value == pytest.approx(np.log(50), rel=1e-12)
    assert apart.standard_error < 1e-12
    near = mutual_information(*linear_gaussian(50, [1.0] * 20, [0.3] * 20), random_state=0)
    assert near.value <= np.log(50) * (1 + 1e-15)


def test_equal_posteriors_tell_nothing():
    found = mutual_information(np.full((30, 4), 0.7), np.full((30, 4), -1.0), random_state=0)
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_variances_at_the_ends_of_the_range(rng):
    """Where the matrix product has no digits left."""
    mu = rng.standard_normal((30, 2))
    for log_var in (np.full((30, 2), -300.0), np.where(rng.random((30, 2)) < 0.5, -300.0, 300.0)):
        found = mutual_information(mu, log_var, random_state=0)
        assert 0 <= found.value <= np.log(30) * (1 + 1e-12)
    assert mutual_information(mu, np.full((30, 2), -300.0), random_state=0).value == pytest.approx(np.log(30))


def test_memory_is_flat():
    mu, log_var = linear_gaussian(4000, [1.0] * 5, [0.5] * 5)
    mutual_information(mu[:10], log_var[:10], random_state=0)
    tracemalloc.start()
    mutual_information(mu, log_var, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 8 / 10  # a tenth of one matrix of all pairs


def test_seeds(encoded):
    first = mutual_information(*encoded, random_state=3)
    assert first == mutual_information(*encoded, random_state=3)
    assert first == mutual_information(*encoded, random_state=np.random.default_rng(3))
    assert first != mutual_information(*encoded, random_state=4)


def test_errors(encoded):
    mu, log_var = encoded
    with pytest.raises(ValueError, match="same number of columns, got 3 and 2"):
        kl_per_dimension(mu, log_var[:, :2])
    with pytest.raises(ValueError, match="same number of rows, got 40 and 39"):
        mutual_information(mu, log_var[1:])
    with pytest.raises(ValueError, match="mu must have at least 2 rows, got 1"):
        mutual_information(mu[:1], log_var[:1])
    with pytest.raises(ValueError, match="mu must have at least 2 rows, got 1"):
        active_units(mu[:1])
    with pytest.raises(ValueError, match="log_var holds NaN"):
        kl_per_dimension(mu, log_var * np.nan)
    with pytest.raises(ValueError, match=r"at most 300 .*got 301"):
        mutual_information(mu, np.full_like(mu, -301.0))


def test_rounding_does_not_raise_a_density_above_its_peak(rng):
    """Squared distances of about 0, multiplied by e^80."""
    mu = 1 + 1e-9 * rng.standard_normal((30, 2))
    found = log_mixture_density(mu, 1e3 * mu, np.full((30, 2), -80.0))
    assert np.all(found < 0)
    near = log_mixture_density(1e3 * mu, 1e3 * mu, np.full((30, 2), -80.0))
    assert np.all(near <= stats.norm.logpdf(0, 0, np.exp(-40)) * 2 + 1e-9)
