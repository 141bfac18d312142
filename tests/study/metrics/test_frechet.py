import numpy as np
import pytest
from scipy import linalg

from npvae.study import frechet_distance


def with_moments(rng, mean, covariance, n=200):
    """Draw features whose sample moments are exactly these."""
    X = rng.standard_normal((n, len(mean)))
    X -= X.mean(axis=0)
    X = X @ np.linalg.inv(np.linalg.cholesky(np.cov(X, rowvar=False))).T
    return X @ np.linalg.cholesky(covariance).T + mean


def by_sqrtm(a, b):
    A, B = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = linalg.sqrtm(A @ B).real
    return np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(A + B - 2 * cross)


@pytest.mark.parametrize("width", [2, 5, 20])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_against_scipys_matrix_square_root(width, scale, rng):
    a = scale * (rng.standard_normal((300, width)) @ rng.standard_normal((width, width)))
    b = scale * (rng.standard_normal((150, width)) @ rng.standard_normal((width, width)) + 1)
    assert frechet_distance(a, b) == pytest.approx(by_sqrtm(a, b), rel=1e-8)


def test_with_the_same_covariance_it_is_the_distance_of_the_means(rng):
    covariance = np.cov(rng.standard_normal((4, 50)))
    a = with_moments(rng, np.zeros(4), covariance)
    b = with_moments(rng, np.array([1.0, 2, 3, 4]), covariance)
    assert frechet_distance(a, b) == pytest.approx(30, rel=1e-10)


def test_commuting_covariances(rng):
    """With common axes it is the distance of the means and of the standard deviations."""
    axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    a = with_moments(rng, np.zeros(3), axes @ np.diag([1.0, 4, 9]) @ axes.T)
    b = with_moments(rng, np.zeros(3), axes @ np.diag([16.0, 4, 0.25]) @ axes.T)
    assert frechet_distance(a, b) == pytest.approx((1 - 4) ** 2 + 0 + (3 - 0.5) ** 2, rel=1e-10)


def test_a_set_and_itself(rng):
    a = 100 * rng.standard_normal((50, 8)) + 7
    assert frechet_distance(a, rng.permutation(a)) <= 1e-9


def test_singular_covariances(rng):
    """Fewer samples than features, and features that are constant."""
    few = rng.standard_normal((5, 20))
    assert frechet_distance(few, few) <= 1e-12
    flat = np.zeros((10, 3))
    spread = with_moments(rng, np.zeros(3), np.diag([1.0, 2, 3]))
    assert frechet_distance(flat, spread) == pytest.approx(6, rel=1e-10)
    assert frechet_distance(flat, flat + 2) == pytest.approx(12)


def test_it_is_symmetric_and_does_not_see_order_or_rotation(rng):
    a, b = rng.standard_normal((40, 6)), 2 * rng.standard_normal((70, 6)) + 1
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    distance = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(distance, rel=1e-12)
    assert frechet_distance(rng.permutation(a), b) == pytest.approx(distance, rel=1e-12)
    assert frechet_distance(a @ rotation, b @ rotation) == pytest.approx(distance, rel=1e-10)


def test_errors(rng):
    a = rng.standard_normal((10, 3))
    with pytest.raises(ValueError, match="features_a and features_b must have the same number of columns"):
        frechet_distance(a, a[:, :2])
    with pytest.raises(ValueError, match="features_b must have at least 2 rows, got 1"):
        frechet_distance(a, a[:1])
    with pytest.raises(ValueError, match="features_a holds NaN or infinity"):
        frechet_distance(a * np.inf, a)
