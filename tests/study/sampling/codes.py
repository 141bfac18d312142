"""Codes to fit densities to."""

import numpy as np

CORRELATED = np.array([[2.0, 0.0, 0.0], [1.2, 0.5, 0.0], [-0.3, 0.1, 0.05]])


def correlated_codes(rng, n=3000):
    return rng.standard_normal((n, 3)) @ CORRELATED.T + [5, -3, 0.5]


def assert_moments(Z, mean, covariance):
    """Within five standard errors; draws are nearly normal."""
    n, std = len(Z), np.sqrt(np.diag(covariance))
    assert np.all(np.abs(Z.mean(axis=0) - mean) <= 5 * std / np.sqrt(n) + 1e-6)
    bound = 5 * np.sqrt((np.outer(std, std) ** 2 + covariance**2) / n)
    assert np.all(np.abs(np.cov(Z, rowvar=False) - covariance) <= bound + 1e-6)
