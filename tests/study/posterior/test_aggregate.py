"""The bracket around KL(q(z) || N(0, I)), for models where that number is known."""

import numpy as np
import pytest
from scipy import integrate, stats

from npvae.core.gaussian import kl_forward
from npvae.study.posterior.aggregate import aggregate_posterior_kl
from npvae.study.posterior.information import mutual_information
from tests.study.posterior.test_information import linear_gaussian


def contains(bracket, exact):
    lower, upper = bracket
    return lower.value - 4 * lower.standard_error < exact < upper.value + 4 * upper.standard_error


def gaussian_kl(mean, variance):
    """KL(N(mean, diag(variance)) || N(0, I)), from one-dimensional integrals."""

    def kl(m, v):
        q = stats.norm(m, np.sqrt(v))
        return q.expect(lambda z: q.logpdf(z) - stats.norm.logpdf(z))

    return sum(kl(m, v) for m, v in zip(mean, variance, strict=True))


@pytest.mark.parametrize("seed", range(2))
def test_it_is_tight_around_a_gaussian_aggregate(seed):
    slope, std, shift = np.array([0.9, 0.3]), np.array([0.4, 0.6]), np.array([0.5, -0.2])
    mu, log_var = linear_gaussian(2000, slope, std, seed)
    exact = gaussian_kl(shift, slope**2 + std**2)
    bracket = aggregate_posterior_kl(mu + shift, log_var, random_state=seed)
    assert exact > 0.2
    assert contains(bracket, exact)
    assert bracket.lower.value > exact - 0.1
    assert bracket.upper.value < exact + 0.1
    assert max(bracket.lower.standard_error, bracket.upper.standard_error) < 0.03


def test_it_is_tight_around_a_curved_aggregate():
    """Four separate clusters in one dimension: no single Gaussian."""
    rng = np.random.default_rng(0)
    centres = np.array([-3.0, -1.0, 1.0, 3.0])
    mu = rng.choice(centres, 2000)[:, None] + 0.1 * rng.standard_normal((2000, 1))
    log_var = np.full_like(mu, 2 * np.log(0.2))
    std = np.hypot(0.1, 0.2)

    def integrand(z):
        log_q = np.logaddexp.reduce(stats.norm.logpdf(z, centres, std)) - np.log(4)
        return np.exp(log_q) * (log_q - stats.norm.logpdf(z))

    exact = integrate.quad(integrand, -6, 6, limit=400, points=list(centres))[0]
    bracket = aggregate_posterior_kl(mu, log_var, random_state=0)
    assert contains(bracket, exact)
    assert bracket.lower.value > exact - 0.1
    assert bracket.upper.value < exact + 0.1


def test_the_prior_itself():
    mu, log_var = linear_gaussian(3000, np.array([0.8, 0.6, 0.0]), np.array([0.6, 0.8, 1.0]))
    lower, upper = aggregate_posterior_kl(mu, log_var, random_state=0)
    assert 0 <= lower.value < 4 * lower.standard_error
    assert 0 <= upper.value < 0.1


def test_posteriors_that_give_x_away():
    """I(x; z) is far above ln N: the bracket is wide, and right."""
    slope, std = np.full(12, 1.2), np.full(12, 0.05)
    mu, log_var = linear_gaussian(500, slope, std)
    exact = gaussian_kl(np.zeros(12), slope**2 + std**2)
    bracket = aggregate_posterior_kl(mu, log_var, random_state=0)
    assert contains(bracket, exact)
    assert bracket.upper.value == pytest.approx(kl_forward(mu, log_var)[0].mean() - np.log(500))


@pytest.mark.parametrize("n", [10, 30, 100])
def test_few_samples_do_not_raise_the_lower_bound(n):
    """The densities are measured on samples that they have not seen; on their own they would look good."""
    slope, std = np.full(10, 0.9), np.full(10, np.sqrt(0.19))  # the aggregate is N(0, I)
    found = [
        aggregate_posterior_kl(*linear_gaussian(n, slope, std, seed), random_state=seed).lower.value
        for seed in range(6)
    ]
    assert np.mean(found) < 0.1
    assert np.max(found) < 1


def test_the_upper_end_is_what_the_kl_pays_beside_information(rng):
    mu, log_var = rng.standard_normal((60, 3)) + 1, rng.uniform(-3, 0, (60, 3))
    upper = aggregate_posterior_kl(mu, log_var, random_state=7).upper
    information = mutual_information(mu, log_var, random_state=7)
    assert upper.value == pytest.approx(kl_forward(mu, log_var)[0].mean() - information.value, rel=1e-12)


def test_seeds(rng):
    mu, log_var = rng.standard_normal((60, 3)) + 1, rng.uniform(-3, 0, (60, 3))
    first = aggregate_posterior_kl(mu, log_var, random_state=1)
    assert first == aggregate_posterior_kl(mu, log_var, random_state=1)
    assert first != aggregate_posterior_kl(mu, log_var, random_state=2)


def test_errors(rng):
    with pytest.raises(ValueError, match="mu must have at least 10 rows, got 9"):
        aggregate_posterior_kl(np.zeros((9, 2)), np.zeros((9, 2)))
