import numpy as np
import pytest
from scipy import special, stats

from npvae.core.likelihoods import bernoulli_backward, bernoulli_forward, gaussian_backward, gaussian_forward


def bernoulli_by_scipy(x, logits):
    return (x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits)).sum(axis=1)


def test_bernoulli_equals_scipys_distribution_for_binary_data(rng):
    logits = 4 * rng.standard_normal((20, 7))
    x = rng.integers(0, 2, logits.shape)
    log_likelihood, _ = bernoulli_forward(x.astype(float), logits)
    expected = stats.bernoulli.logpmf(x, special.expit(logits)).sum(axis=1)
    np.testing.assert_allclose(log_likelihood, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1, 30, 1000, 1e30])
def test_bernoulli_equals_scipy_for_grey_data_at_any_logit(scale, dtype, rng):
    logits = (scale * rng.standard_normal((20, 7))).astype(dtype)
    x = rng.uniform(size=logits.shape).astype(dtype)
    log_likelihood, _ = bernoulli_forward(x, logits)
    expected = bernoulli_by_scipy(x.astype(float), logits.astype(float))
    assert log_likelihood.dtype == dtype
    np.testing.assert_allclose(log_likelihood, expected, rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_bernoulli_at_a_thousand(dtype):
    x = np.array([[1, 1, 0, 0, 0.25]], dtype).T
    logits = np.array([[1000, -1000, 1000, -1000, 1000]], dtype).T
    log_likelihood, cache = bernoulli_forward(x, logits)
    np.testing.assert_allclose(log_likelihood, [0, -1000, -1000, 0, -750], atol=1e-30)
    np.testing.assert_allclose(
        bernoulli_backward(np.ones(5, dtype), cache)[:, 0], [0, 1, -1, 0, -0.75], atol=1e-30
    )


def test_bernoulli_of_all_outcomes_sums_to_one(rng):
    logits = np.tile(2 * rng.standard_normal(6), (64, 1))
    outcomes = (np.arange(64)[:, None] >> np.arange(6)) & 1
    log_likelihood, _ = bernoulli_forward(outcomes.astype(float), logits)
    np.testing.assert_allclose(np.exp(log_likelihood).sum(), 1, rtol=1e-14)


def test_bernoulli_gradient_is_zero_at_the_optimum(rng):
    x = rng.uniform(0.01, 0.99, (4, 5))
    _, cache = bernoulli_forward(x, special.logit(x))
    np.testing.assert_allclose(bernoulli_backward(np.ones(4), cache), 0, atol=1e-15)


def test_bernoulli_gradient_by_hand():
    _, cache = bernoulli_forward(np.array([[1.0, 0.0]]), np.array([[0.0, np.log(3.0)]]))
    np.testing.assert_allclose(bernoulli_backward(np.array([2.0]), cache), [[1, -1.5]], rtol=1e-15)


@pytest.mark.parametrize("variance", [1e-4, 0.5, 1.0, 300.0])
def test_gaussian_equals_scipy(variance, rng):
    x, mean = rng.standard_normal((2, 20, 7))
    log_likelihood, _ = gaussian_forward(x, mean, np.array([np.log(variance)]))
    expected = stats.norm.logpdf(x, mean, np.sqrt(variance)).sum(axis=1)
    np.testing.assert_allclose(log_likelihood, expected, rtol=1e-12)


def test_gaussian_with_variance_a_half_is_the_squared_error_up_to_a_constant(rng):
    x, mean = rng.standard_normal((2, 6, 3))
    log_likelihood, _ = gaussian_forward(x, mean, np.log([0.5]))
    squared_error = ((x - mean) ** 2).sum(axis=1)
    np.testing.assert_allclose(log_likelihood + squared_error, -3 / 2 * np.log(np.pi), rtol=1e-13)


def test_gaussian_gradients_are_zero_at_the_optimum(rng):
    """The best mean is the data; the best variance is the mean squared residual over everything."""
    x, mean = rng.standard_normal((2, 6, 3))
    _, cache = gaussian_forward(x, x, np.array([-1.0]))
    np.testing.assert_array_equal(gaussian_backward(np.ones(6), cache)[0], 0)
    _, cache = gaussian_forward(x, mean, np.log([np.mean((x - mean) ** 2)]))
    np.testing.assert_allclose(gaussian_backward(np.ones(6), cache)[1], 0, atol=1e-13)


def test_gaussian_gradients_by_hand():
    x, mean = np.array([[3.0, 1.0]]), np.array([[1.0, 2.0]])
    _, cache = gaussian_forward(x, mean, np.log([4.0]))
    d_mean, d_log_noise_var = gaussian_backward(np.array([2.0]), cache)
    np.testing.assert_allclose(d_mean, [[1, -0.5]], rtol=1e-15)
    np.testing.assert_allclose(d_log_noise_var, [5 / 4 - 2], rtol=1e-15)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((2, 3), (1, 3)), ((3,), (3,)), ((2, 3), (3,))])
def test_other_shapes_are_refused(shapes):
    x, output = (np.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=r"x and logits must both be \(N, D\)"):
        bernoulli_forward(x, output)
    with pytest.raises(ValueError, match=r"x and mean must both be \(N, D\)"):
        gaussian_forward(x, output, np.zeros(1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
def test_data_type_is_kept(dtype, rng):
    x, output = rng.uniform(size=(2, 4, 3)).astype(dtype)
    bernoulli, bernoulli_cache = bernoulli_forward(x, output)
    gaussian, gaussian_cache = gaussian_forward(x, output, np.zeros(1, dtype))
    arrays = [bernoulli, gaussian, bernoulli_backward(gaussian, bernoulli_cache)]
    arrays += gaussian_backward(gaussian, gaussian_cache)
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_backward_passes_change_none_of_their_inputs(rng):
    x, output = rng.uniform(size=(2, 4, 3))
    dy = rng.standard_normal(4)
    for backward, cache in [
        (bernoulli_backward, bernoulli_forward(x, output)[1]),
        (gaussian_backward, gaussian_forward(x, output, np.zeros(1))[1]),
    ]:
        before = [array.copy() for array in (dy, *cache)]
        backward(dy, cache)
        for array, old in zip((dy, *cache), before, strict=True):
            np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("place", ["x", "output"])
def test_nan_reaches_the_likelihood_of_its_sample_alone(place, rng):
    x, output = rng.uniform(size=(2, 4, 3))
    (x if place == "x" else output)[2, 1] = np.nan
    for log_likelihood in (bernoulli_forward(x, output)[0], gaussian_forward(x, output, np.zeros(1))[0]):
        np.testing.assert_array_equal(np.isnan(log_likelihood), [False, False, True, False])
