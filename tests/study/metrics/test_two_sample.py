import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from npvae.study import classifier_two_sample_test


def test_the_level(rng):
    """Under the null the accuracy is N(1/2, 1 / (4 n_test)) or narrower; over 10 repetitions."""
    z = []
    for seed in range(10):
        a, b = rng.standard_normal((2, 200, 5))
        test = classifier_two_sample_test(a, b, random_state=seed)
        assert test.n_test == 200
        assert test.standard_error == pytest.approx(0.5 / np.sqrt(200))
        z.append((test.accuracy - 0.5) / test.standard_error)
    assert abs(np.mean(z)) <= 4 / np.sqrt(10)
    assert np.max(np.abs(z)) <= 4
    assert np.sum(np.square(z)) <= stats.chi2.ppf(0.9999, 10)
    assert np.std(z) > 0.3


@pytest.mark.parametrize("shift", [0.5, 1, 3])
def test_a_shift_against_the_best_classifier(shift, rng):
    """Of N(0, I) and N(m, I), the best classifier recognises Phi(|m| / 2)."""
    a, b = rng.standard_normal((2, 2000, 4))
    test = classifier_two_sample_test(a, b + shift / 2)
    best = stats.norm.cdf(shift / 2)
    assert best - 0.03 - 4 * test.standard_error <= test.accuracy <= best + 4 * test.standard_error


def test_differences_beyond_the_first_two_moments(rng):
    """All columns have mean 0 and variance 1 and are uncorrelated; two are dependent for all that."""
    normal = rng.standard_normal((3000, 6))
    uniform = rng.uniform(-np.sqrt(3), np.sqrt(3), (3000, 6))
    assert classifier_two_sample_test(normal, uniform).accuracy > 0.7
    dependent = rng.standard_normal((3000, 6))
    dependent[:, 0] = np.abs(dependent[:, 1]) * rng.choice([-1, 1], 3000)
    np.testing.assert_allclose(np.cov(dependent.T), np.eye(6), atol=0.1)
    assert classifier_two_sample_test(normal, dependent).accuracy > 0.6


def test_units_and_constant_columns_make_no_difference(rng):
    a, b = rng.standard_normal((2, 300, 2)) + np.array([[[0]], [[1]]])
    flat = np.full((300, 1), 7)
    test = classifier_two_sample_test(np.hstack([a * [1, 1e-6], flat]), np.hstack([b * [1, 1e-6], flat]))
    assert test.accuracy > 0.65


def test_the_larger_is_cut(rng):
    a, b = rng.standard_normal((500, 2)), rng.standard_normal((101, 2)) + 10
    test = classifier_two_sample_test(a, b)
    assert (test.accuracy, test.n_test) == (1, 2 * 51)
    assert classifier_two_sample_test(b, a).n_test == 2 * 51


def test_the_seed_decides_and_threads_do_not(rng):
    a, b = rng.standard_normal((2, 600, 3)) + np.array([[[0]], [[0.4]]])
    expected = classifier_two_sample_test(a, b, random_state=3)
    with threadpool_limits(limits=1):
        assert classifier_two_sample_test(a, b, random_state=3) == expected
    accuracies = {classifier_two_sample_test(a, b, random_state=seed).accuracy for seed in range(3)}
    assert len(accuracies) > 1


def test_an_interrupt_is_heeded(rng, monkeypatch):
    """scikit-learn would warn and return the network as it is."""
    from sklearn.neural_network import MLPClassifier

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupt)
    with pytest.raises(KeyboardInterrupt):
        classifier_two_sample_test(rng.random((20, 2)), rng.random((20, 2)))


def test_errors(rng):
    a = rng.random((20, 3))
    with pytest.raises(ValueError, match="a must have at least 10 rows, got 9"):
        classifier_two_sample_test(a[:9], a)
    with pytest.raises(ValueError, match="a and b must have the same number of columns, got 3 and 2"):
        classifier_two_sample_test(a, a[:, :2])
    with pytest.raises(ValueError, match="b holds NaN"):
        classifier_two_sample_test(a, a * np.nan)
