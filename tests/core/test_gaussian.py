import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from npvae.core.gaussian import kl_backward, kl_forward, reparameterize_backward, reparameterize_forward

N_DRAWS = 200_000
MU = np.array([[-2.0, 0.0, 0.7, 5.0]])
LOG_VAR = np.array([[-3.0, 0.0, 1.0, 2.0]])


def draws(rng):
    eps = rng.standard_normal((N_DRAWS, 4))
    z, cache = reparameterize_forward(np.tile(MU, (N_DRAWS, 1)), np.tile(LOG_VAR, (N_DRAWS, 1)), eps)
    return z, cache


def test_draws_have_mean_mu_and_variance_exp_log_var(rng):
    z, _ = draws(rng)
    variance = np.exp(LOG_VAR[0])
    assert np.all(np.abs(z.mean(axis=0) - MU[0]) < 4.5 * np.sqrt(variance / N_DRAWS))
    assert np.all(np.abs(z.var(axis=0) - variance) < 4.5 * variance * np.sqrt(2 / N_DRAWS))


def test_draws_follow_the_normal_distribution(rng):
    z, _ = draws(rng)
    for j in range(4):
        normal = stats.norm(MU[0, j], np.exp(LOG_VAR[0, j] / 2))
        assert stats.kstest(z[:, j], normal.cdf).pvalue > 1e-4


def test_draw_by_hand():
    z, _ = reparameterize_forward(np.array([[1.0]]), np.array([[np.log(9.0)]]), np.array([[-2.0]]))
    np.testing.assert_allclose(z, [[1 - 2 * 3]], rtol=1e-15)


def test_zero_noise_gives_the_mean():
    z, _ = reparameterize_forward(MU, LOG_VAR, np.zeros_like(MU))
    np.testing.assert_array_equal(z, MU)


def test_mean_of_the_pathwise_gradient_is_the_gradient_of_the_expectation(rng):
    """E z^3 = mu^3 + 3 mu sigma^2, so its derivatives by mu and by ln sigma^2 are known."""
    z, cache = draws(rng)
    d_mu, d_log_var = reparameterize_backward(3 * z**2, cache)
    variance = np.exp(LOG_VAR[0])
    for sample, expected in [(d_mu, 3 * MU[0] ** 2 + 3 * variance), (d_log_var, 3 * MU[0] * variance)]:
        error = sample.mean(axis=0) - expected
        assert np.all(np.abs(error) < 4.5 * sample.std(axis=0) / np.sqrt(N_DRAWS))


def test_kl_by_hand():
    kl, _ = kl_forward(np.array([[1.0, 2.0]]), np.array([[0.0, np.log(4.0)]]))
    np.testing.assert_allclose(kl, [1 / 2 + (4 + 3 - np.log(4)) / 2], rtol=1e-15)


def test_kl_equals_its_monte_carlo_estimate(rng):
    z, _ = draws(rng)
    log_q = stats.norm.logpdf(z, MU, np.exp(LOG_VAR / 2)).sum(axis=1)
    log_p = stats.norm.logpdf(z).sum(axis=1)
    estimate, error = (log_q - log_p).mean(), (log_q - log_p).std() / np.sqrt(N_DRAWS)
    kl, _ = kl_forward(MU, LOG_VAR)
    assert abs(estimate - kl[0]) < 4 * error


def test_kl_of_the_prior_is_zero_and_so_are_its_gradients():
    kl, cache = kl_forward(np.zeros((3, 2)), np.zeros((3, 2)))
    d_mu, d_log_var = kl_backward(np.ones(3), cache)
    for array in (kl, d_mu, d_log_var):
        np.testing.assert_array_equal(array, 0)


@given(mu=st.floats(-30, 30), log_var=st.floats(-30, 30))
def test_kl_of_anything_else_is_positive(mu, log_var):
    kl, _ = kl_forward(np.array([[mu]]), np.array([[log_var]]))
    assert kl[0] > 0 if abs(mu) > 1e-6 or abs(log_var) > 1e-6 else kl[0] >= -1e-20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_is_accurate_for_small_log_var(dtype):
    """To a few roundings of log_var; exp(log_var) - 1 would be off by a rounding of 1."""
    log_var = np.concatenate([s * np.logspace(-12, 1, 200) for s in (-1, 1)]).astype(dtype)[:, None]
    kl, cache = kl_forward(np.zeros_like(log_var), log_var)
    exact = np.expm1(log_var.astype(np.longdouble)) - log_var
    terms = np.abs(np.expm1(log_var)) + np.abs(log_var)
    eps = np.finfo(dtype).eps
    assert kl.dtype == dtype
    assert np.all(np.abs(kl - exact[:, 0] / 2) <= 2 * eps * terms[:, 0])
    _, d_log_var = kl_backward(np.ones(len(kl), dtype), cache)
    np.testing.assert_allclose(d_log_var, np.expm1(log_var.astype(np.longdouble)) / 2, rtol=4 * eps)


def test_kl_sums_over_dimensions_and_not_over_samples(rng):
    mu, log_var = rng.standard_normal((2, 5, 3))
    kl, _ = kl_forward(mu, log_var)
    columns = [kl_forward(mu[:, [j]], log_var[:, [j]])[0] for j in range(3)]
    assert kl.shape == (5,)
    np.testing.assert_allclose(kl, sum(columns), rtol=1e-14)


def backward_passes(rng):
    z, mu, log_var = rng.standard_normal((3, 5, 2))
    per_sample = rng.standard_normal(5)
    return [
        (reparameterize_backward, rng.standard_normal((5, 2)), reparameterize_forward(mu, log_var, z)[1]),
        (kl_backward, per_sample, kl_forward(mu, log_var)[1]),
    ]


def test_backward_passes_change_none_of_their_inputs(rng):
    for backward, dy, cache in backward_passes(rng):
        before = [array.copy() for array in (dy, *cache)]
        backward(dy, cache)
        for array, old in zip((dy, *cache), before, strict=True):
            np.testing.assert_array_equal(array, old)


def test_gradients_are_arrays_of_their_own(rng):
    """So that whoever adds to one does not change the upstream gradient."""
    for backward, dy, cache in backward_passes(rng):
        for gradient in backward(dy, cache):
            assert not any(np.shares_memory(gradient, array) for array in (dy, *cache)), backward.__name__


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_data_type_is_kept(dtype, rng):
    z, mu, log_var = rng.standard_normal((3, 5, 2)).astype(dtype)
    draw, sampled = reparameterize_forward(mu, log_var, z)
    kl, kl_cache = kl_forward(mu, log_var)
    arrays = [draw, kl, *reparameterize_backward(z, sampled), *kl_backward(kl, kl_cache)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("shape", [(1, 2), (3, 1), (2,)])
def test_noise_shared_by_samples_is_refused(shape):
    with pytest.raises(ValueError, match=r"must all be \(N, Z\)"):
        reparameterize_forward(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(shape))
