import numpy as np
import pytest

from npvae.study import PrincipalFeatures


@pytest.mark.parametrize("shape", [(200, 6), (5, 30)])
def test_against_an_eigendecomposition(shape, rng):
    X = rng.standard_normal(shape) * np.arange(1, shape[1] + 1) + 100
    features = PrincipalFeatures.fit(X, 3)
    covariance = np.cov(X, rowvar=False)
    np.testing.assert_allclose(features.variances, np.linalg.eigvalsh(covariance)[::-1][:3], rtol=1e-9)
    transformed = features.transform(X)
    np.testing.assert_allclose(transformed.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(
        np.cov(transformed, rowvar=False), np.diag(features.variances), atol=1e-8 * features.variances[0]
    )
    assert features.explained == pytest.approx(features.variances.sum() / np.trace(covariance))


def test_the_number_of_components_is_capped(rng):
    assert PrincipalFeatures.fit(rng.random((100, 7))).components.shape == (7, 7)
    assert PrincipalFeatures.fit(rng.random((100, 80))).components.shape == (50, 80)
    assert PrincipalFeatures.fit(rng.random((4, 80))).components.shape == (3, 80)


def test_all_components_keep_distances(rng):
    X = rng.random((50, 5))
    features = PrincipalFeatures.fit(X)
    a, b = features.transform(X[:2])
    assert np.linalg.norm(a - b) == pytest.approx(np.linalg.norm(X[0] - X[1]))
    assert features.explained == pytest.approx(1)


def test_bytes_are_pixels(rng):
    X = rng.integers(256, size=(50, 5), dtype=np.uint8)
    features = PrincipalFeatures.fit(X, 2)
    np.testing.assert_allclose(features.mean, X.mean(axis=0) / 255, rtol=1e-6)
    np.testing.assert_allclose(features.transform(X), features.transform(X / 255), atol=1e-6)


def test_errors(rng):
    with pytest.raises(ValueError, match="all rows of X_real are the same"):
        PrincipalFeatures.fit(np.full((10, 3), 0.1))
    with pytest.raises(ValueError, match="X_real must have at least 2 rows"):
        PrincipalFeatures.fit(rng.random((1, 3)))
    with pytest.raises(ValueError, match="n_components must be an integer of at least 1"):
        PrincipalFeatures.fit(rng.random((9, 3)), 0)
    with pytest.raises(ValueError, match="X must have 3 columns, as the data fitted to, got 2"):
        PrincipalFeatures.fit(rng.random((9, 3))).transform(rng.random((9, 2)))
