import numpy as np
import pytest

from npvae.study import code_moments


def test_moments_against_numpy(rng):
    codes = rng.standard_normal((100, 4)) @ rng.standard_normal((4, 4)) + 3
    moments = code_moments(codes)
    covariance = np.cov(codes, rowvar=False)
    np.testing.assert_allclose(moments.mean, codes.mean(axis=0))
    np.testing.assert_allclose(moments.mean_norm, np.sqrt(np.sum(codes.mean(axis=0) ** 2)))
    np.testing.assert_allclose(moments.std**2, np.diag(covariance))
    np.testing.assert_allclose(moments.eigenvalues, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-9)
    assert moments.n_codes == 100


def test_moments_of_fewer_codes_than_dimensions(rng):
    codes = rng.standard_normal((3, 5))
    eigenvalues = code_moments(codes).eigenvalues
    np.testing.assert_allclose(eigenvalues, np.linalg.eigvalsh(np.cov(codes, rowvar=False))[::-1], atol=1e-12)
    assert np.all(eigenvalues >= 0)


def test_moments_need_two_codes():
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        code_moments([[1.0, 2.0]])
