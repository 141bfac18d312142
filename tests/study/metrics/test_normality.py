"""Statistics against double loops and integrals, and the tests' level and power."""

import numpy as np
import pytest
from scipy import integrate, special, stats
from scipy.spatial.distance import cdist

from npvae.study.metrics import normality
from npvae.study.metrics.normality import normality_statistics, normality_tests
from npvae.study.metrics.two_sample import TwoSampleTest


@pytest.fixture
def no_classifier(monkeypatch):
    """For tests of the two distances; it takes most of the time."""
    monkeypatch.setattr(
        "npvae.study.metrics.two_sample.classifier_two_sample_test",
        lambda a, b, random_state: TwoSampleTest(0.5, 0.1, 25),
    )


def expected_over_the_prior(function, norm, d):
    """E function(|x - Z|) for |x| = norm, from the density of the noncentral chi-squared distribution."""
    middle = np.sqrt(norm**2 + d)
    r = np.linspace(max(middle - 9, 0), middle + 9, 4001)[1:]
    density = 2 * r * (stats.ncx2.pdf(r**2, d, norm**2) if norm else stats.chi2.pdf(r**2, d))
    if r[0] > 0.1:
        return np.trapezoid(function(r) * density, r)
    at_0 = function(0.0) * (2 * stats.norm.pdf(norm) if d == 1 else 0)
    return integrate.simpson([at_0, *(function(r) * density)], x=[0, *r])


@pytest.mark.parametrize("d", [1, 2, 5, 50])
@pytest.mark.parametrize("scale", [0.2, 1, 20])
def test_energy_is_that_of_szekely_and_rizzo(d, scale, rng):
    x = scale * rng.standard_normal((60, d)) + scale / 2
    n, gammas = len(x), np.exp(special.gammaln((d + 1) / 2) - special.gammaln(d / 2))
    to_the_prior = np.sqrt(2) * gammas * special.hyp1f1(-0.5, d / 2, -np.sum(x**2, axis=1) / 2)
    expected = n * (2 * to_the_prior.mean() - 2 * gammas - cdist(x, x).sum() / n**2)
    assert normality_statistics(x).energy == pytest.approx(expected, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("d", [1, 2, 5, 50])
@pytest.mark.parametrize("scale", [0.2, 1, 20])
def test_mmd_is_unbiased_and_exact_in_the_prior(d, scale, rng):
    x, c = scale * rng.standard_normal((15, d)) + scale / 2, 2 * d
    among = [c / (c + np.sum((a - b) ** 2)) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    crossed = [expected_over_the_prior(lambda r: c / (c + r**2), np.linalg.norm(a), d) for a in x]
    prior = expected_over_the_prior(lambda r: c / (c + 2 * r**2), 0, d)  # Z - Z' is sqrt(2) Z
    expected = np.mean(among) - 2 * np.mean(crossed) + prior
    assert normality_statistics(x).mmd == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("d", [1, 106, 500])
@pytest.mark.parametrize("norm", [0.0, 0.1, 5.0, 12.0, 20.0, 300.0])
def test_expected_distances_where_hyp1f1_fails(d, norm):
    expected = expected_over_the_prior(lambda r: r, norm, d)
    found = normality._expected_distance(np.array([norm**2]), d)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_the_means_under_the_prior(rng):
    """E[energy] = E|Z - Z'|, as the sum over pairs holds n zeros; E[mmd] = 0."""
    found = np.array([normality_statistics(rng.standard_normal((40, 2))) for _ in range(400)])
    error = found.std(axis=0) / np.sqrt(400)
    expected = [2 * special.gamma(1.5) / special.gamma(1), 0]
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * error)


@pytest.mark.parametrize("d", [1, 4])
def test_the_level_is_what_it_says(d, no_classifier):
    """p values under N(0, I) are about uniform: of 100, the number below a level is binomial."""
    p = []
    for seed in range(100):
        codes = np.random.default_rng([99, seed]).standard_normal((25, d))
        tests = normality_tests(codes, n_null=19, random_state=seed)
        p.append((tests.energy.p_value, tests.mmd.p_value))
    for level in (0.05, 0.25, 0.5, 0.75):
        low, high = stats.binom(100, level).ppf([0.0005, 0.9995])
        assert np.all(np.sum(np.array(p) <= level + 1e-9, axis=0) >= low)
        assert np.all(np.sum(np.array(p) <= level + 1e-9, axis=0) <= high)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda z: z + 0.15, id="shifted"),
        pytest.param(lambda z: 0.85 * z, id="narrow"),
        pytest.param(lambda z: z * [1.5, 1, 1], id="wide in one dimension"),
        pytest.param(lambda z: np.where(z[:, :1] > 0, np.abs(z), -np.abs(z)), id="dependent, normal margins"),
        pytest.param(
            lambda z: z * np.sqrt(3 / np.random.default_rng(1).chisquare(5, (len(z), 1))), id="Student's t"
        ),
    ],
)
def test_power(change, no_classifier):
    """1000 codes that are not from N(0, I), some with its mean and covariance."""
    codes = change(np.random.default_rng(3).standard_normal((1000, 3)))
    tests = normality_tests(codes, random_state=0)
    for test in (tests.energy, tests.mmd):
        assert test.p_value == 0.01
        assert test.statistic > test.null_quantile


def test_codes_of_an_autoencoder_are_found_by_all_three(rng):
    """Norms of twenty and more, and few codes."""
    tests = normality_tests(20 + 5 * rng.standard_normal((400, 10)), random_state=0)
    assert tests.energy.p_value == tests.mmd.p_value == 0.01
    assert tests.energy.statistic > 1000
    assert tests.mmd.statistic == pytest.approx(0.5, abs=0.3)
    assert tests.classifier.accuracy > 0.98
    assert tests.classifier.n_test == 400


def test_the_quantile_belongs_to_the_p_value(no_classifier):
    for seed in range(60):  # beside one null
        codes = np.random.default_rng([5, seed]).standard_normal((40, 2)) + 0.3
        for test in (lambda t: (t.energy, t.mmd))(normality_tests(codes, random_state=0)):
            assert (test.p_value <= 0.05) == (test.statistic > test.null_quantile)
            assert 0.01 <= test.p_value <= 1


def test_some_codes_are_taken_at_random(no_classifier, rng):
    """Sorted codes, of which the first n would all be negative."""
    codes = np.sort(rng.standard_normal((3000, 1)), axis=0)
    tests = normality_tests(codes, n_codes=200, random_state=0)
    assert (tests.n_codes, tests.n_null) == (200, 99)
    assert tests.energy.p_value > 0.05
    assert normality_tests(codes[:150], n_codes=200).n_codes == 150


def test_the_null_is_computed_once(no_classifier, rng, monkeypatch):
    normality_tests(rng.standard_normal((33, 2)), random_state=5)
    monkeypatch.setattr(normality, "_statistics", counted := Counter(normality._statistics))
    normality_tests(rng.standard_normal((33, 2)) + 1, random_state=5)
    assert counted.calls == 1
    normality_tests(rng.standard_normal((33, 2)), random_state=6)
    assert counted.calls == 1 + 100


class Counter:
    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def test_seeds(rng):
    codes = rng.standard_normal((300, 2))
    first = normality_tests(codes, n_codes=100, random_state=3)
    normality._null_statistics.cache_clear()
    assert first == normality_tests(codes, n_codes=100, random_state=3)
    assert first != normality_tests(codes, n_codes=100, random_state=4)


def test_errors(rng):
    codes = rng.standard_normal((30, 2))
    with pytest.raises(ValueError, match="codes must have at least 10 rows, got 9"):
        normality_tests(codes[:9])
    with pytest.raises(ValueError, match="codes holds NaN"):
        normality_tests(codes * np.inf)
    with pytest.raises(ValueError, match="n_codes must be an integer of at least 10, got 5"):
        normality_tests(codes, n_codes=5)
    with pytest.raises(ValueError, match="n_null must be an integer of at least 19, got 18"):
        normality_tests(codes, n_null=18)
    with pytest.raises(ValueError, match="random_state must be an integer of at least 0, got None"):
        normality_tests(codes, random_state=None)
    with pytest.raises(ValueError, match="codes must have at least 2 rows, got 1"):
        normality_statistics(codes[:1])
