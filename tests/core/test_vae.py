import numpy as np
import pytest
from scipy import special, stats

from npvae import kernels
from npvae.core.vae import VAENetwork
from tests import oracles
from tests.core.points import EVERY_KIND, assert_gradients_close, label, random_parameters

LINEAR = VAENetwork(n_features=4, latent_dim=2, hidden=(), noise_variance=0.3)


def point(network, rng, n=5, scale=0.7):
    params = random_parameters(network, rng, scale)
    x, eps = rng.uniform(size=(n, network.n_features)), rng.standard_normal((n, network.latent_dim))
    return params, x, eps


@pytest.mark.parametrize("beta", [0, 1, 4])
@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
@pytest.mark.parametrize("scale", [0.3, 1.2])
def test_loss_and_gradient_equal_autograd(settings, beta, scale, rng):
    network = VAENetwork(beta=beta, **settings)
    params, x, eps = point(network, rng, scale=scale)
    loss, grads = network.loss_and_grad(params, x, eps)
    distributions = {key: getattr(network, key) for key in ("activation", "likelihood", "noise_variance")}
    expected_loss, expected = oracles.vae_loss_and_grad(params, x, eps, beta=beta, **distributions)
    assert loss.total == pytest.approx(expected_loss, rel=1e-11)
    reconstruction, kl = oracles.vae_terms(params, x, eps, **distributions)
    assert loss.reconstruction == pytest.approx(reconstruction, rel=1e-11)
    assert loss.kl == pytest.approx(kl, rel=1e-11)
    assert_gradients_close(grads, expected, 1e-10)


def test_terms_of_every_sample_equal_scipy(rng):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=(5,), likelihood="bernoulli")
    params, x, eps = point(network, rng)
    (reconstruction, kl), _ = network.forward(params, x, eps)
    mu, log_var = network.encode(params, x)
    p = network.decode(params, mu + np.exp(log_var / 2) * eps)
    log_likelihood = (special.xlogy(x, p) + special.xlog1py(1 - x, -p)).sum(axis=1)
    np.testing.assert_allclose(reconstruction, -log_likelihood, rtol=1e-10)
    expected = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1) / 2
    np.testing.assert_allclose(kl, expected, rtol=1e-12)


@pytest.mark.parametrize("beta", [0, 0.5, 4])
def test_total_is_reconstruction_plus_beta_kl(beta, rng):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=(5,), beta=beta)
    params, x, eps = point(network, rng)
    loss = network.loss(params, x, eps)
    assert loss.total == pytest.approx(loss.reconstruction + beta * loss.kl, rel=1e-14)
    assert network.loss_and_grad(params, x, eps)[0] == loss


def test_beta_of_a_call_replaces_the_networks(rng):
    params, x, eps = point(LINEAR, rng)
    other = VAENetwork(n_features=4, latent_dim=2, hidden=(), noise_variance=0.3, beta=0.25)
    assert LINEAR.loss_and_grad(params, x, eps, beta=0.25) == other.loss_and_grad(params, x, eps)
    assert LINEAR.loss(params, x, eps, beta=0.0).total == LINEAR.loss(params, x, eps).reconstruction


@pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
def test_gradients_of_the_two_terms_add_up(settings, rng):
    network = VAENetwork(beta=4.0, **settings)
    params, x, eps = point(network, rng)
    _, cache = network.forward(params, x, eps)
    share, nothing = np.full(5, 1 / 5), np.zeros(5)
    by_reconstruction = network.backward(share, nothing, cache)
    by_kl = network.backward(nothing, 4 * share, cache)
    _, grads = network.loss_and_grad(params, x, eps)
    np.testing.assert_allclose(by_reconstruction.flat + by_kl.flat, grads.flat, rtol=1e-11, atol=1e-13)
    assert all(not gradient.any() for name, gradient in by_kl.items() if name.startswith(("dec", "out")))
    assert by_kl["mu.W"].any()
    assert by_kl["log_var.b"].any()


def test_gradients_by_hand(rng):
    """The linear network: each gradient is one line of matrix calculus."""
    params, x, eps = point(LINEAR, rng)
    (_, _), cache = LINEAR.forward(params, x, eps)
    d_reconstruction, d_kl = rng.standard_normal((2, 5))
    grads = LINEAR.backward(d_reconstruction, d_kl, cache)
    mu, log_var = LINEAR.encode(params, x)
    std = np.exp(log_var / 2)
    z = mu + std * eps
    output = LINEAR.decode(params, z)
    d_output = d_reconstruction[:, None] * (output - x) / 0.3
    dz = d_output @ params["output.W"].T
    d_mu = dz + d_kl[:, None] * mu
    d_log_var = dz * eps * std / 2 + d_kl[:, None] * (std**2 - 1) / 2
    for name, h, dy in [("output", z, d_output), ("mu", x, d_mu), ("log_var", x, d_log_var)]:
        np.testing.assert_allclose(grads[f"{name}.W"], h.T @ dy, rtol=1e-11, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(grads[f"{name}.b"], dy.sum(axis=0), rtol=1e-11, atol=1e-13, err_msg=name)


def test_mean_gradient_over_the_noise_is_the_gradient_of_the_expectation(rng):
    """With a linear decoder and a unit variance the expectation over z is in closed form:

    E |x - z W - b|^2 / 2 = (|x - mu W - b|^2 + sum_jd exp(log_var_j) W_jd^2) / 2.
    """
    network, n = VAENetwork(n_features=4, latent_dim=2, hidden=(), noise_variance=1.0), 500
    params, x, _ = point(network, rng, n=1)
    drawn: dict[str, list[np.ndarray]] = {"mu.b": [], "log_var.b": []}
    for _ in range(200):
        (_, _), cache = network.forward(params, np.tile(x, (n, 1)), rng.standard_normal((n, 2)))
        grads = network.backward(np.full(n, 1 / n), np.zeros(n), cache)
        for name, values in drawn.items():
            values.append(grads[name])
    mu, log_var = network.encode(params, x)
    W, b = params["output.W"], params["output.b"]
    d_mu = -(x - mu @ W - b) @ W.T
    d_log_var = np.exp(log_var) * np.sum(W**2, axis=1) / 2
    for name, expected in [("mu.b", d_mu), ("log_var.b", d_log_var)]:
        error = np.mean(drawn[name], axis=0) - expected[0]
        assert np.all(np.abs(error) < 4.5 * np.std(drawn[name], axis=0) / np.sqrt(200))


def test_minus_the_mean_loss_is_below_the_log_evidence(rng):
    """A linear decoder: x ~ N(b, W^T W + variance I), so ln p(x) is known; equal at the true posterior."""
    params, x, _ = point(LINEAR, rng, n=1)
    W, b = params["output.W"], params["output.b"]
    evidence = stats.multivariate_normal(b, W.T @ W + 0.3 * np.eye(4)).logpdf(x[0])
    eps, xs = rng.standard_normal((50_000, 2)), np.tile(x, (50_000, 1))
    assert -LINEAR.loss(params, xs, eps).total < evidence
    precision = np.eye(2) + W @ W.T / 0.3
    params["output.W"] = W = np.diag(np.sqrt(np.diag(precision) - 1) * np.sqrt(0.3)) @ np.eye(2, 4)
    evidence = stats.multivariate_normal(b, W.T @ W + 0.3 * np.eye(4)).logpdf(x[0])
    posterior_variance = 1 / np.diag(np.eye(2) + W @ W.T / 0.3)  # diagonal, as the rows are orthogonal
    params["mu.W"], params["log_var.W"] = np.zeros((4, 2)), np.zeros((4, 2))
    params["mu.b"] = (x[0] - b) @ W.T / 0.3 * posterior_variance
    params["log_var.b"] = np.log(posterior_variance)
    (reconstruction, kl), _ = LINEAR.forward(params, xs, eps)
    assert abs(evidence + (reconstruction + kl).mean()) < 4.5 * reconstruction.std() / np.sqrt(len(eps))


def test_loss_is_a_mean_over_the_batch(rng):
    network = VAENetwork(n_features=4, latent_dim=2, hidden=(5,), activation="tanh", beta=2.0)
    params, x, eps = point(network, rng)
    loss, grads = network.loss_and_grad(params, x, eps)
    twice, twice_grads = network.loss_and_grad(params, np.tile(x, (2, 1)), np.tile(eps, (2, 1)))
    np.testing.assert_allclose(twice, loss, rtol=1e-13)
    np.testing.assert_allclose(twice_grads.flat, grads.flat, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("settings", EVERY_KIND[::4], ids=label)
def test_nothing_that_is_passed_in_changes(settings, rng):
    network = VAENetwork(**settings)
    params, x, eps = point(network, rng)
    arrays, before = [params.flat, x, eps], [a.copy() for a in (params.flat, x, eps)]
    for array in arrays:
        array.flags.writeable = False
    first = network.loss_and_grad(params, x, eps)
    second = network.loss_and_grad(params, x, eps)
    assert first == second
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_backward_of_an_older_cache_is_not_disturbed_by_a_newer_forward(rng):
    params, x, eps = point(LINEAR, rng)
    _, cache = LINEAR.forward(params, x, eps)
    expected = LINEAR.backward(np.ones(5), np.ones(5), cache)
    LINEAR.forward(params, x + 10, eps - 3)
    assert LINEAR.backward(np.ones(5), np.ones(5), cache) == expected


@pytest.mark.parametrize("choice", kernels.CHOICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
@pytest.mark.parametrize("settings", EVERY_KIND[::4], ids=label)
def test_runs_in_every_data_type(settings, dtype, choice, rng):
    network = VAENetwork(beta=2.0, **settings)
    params, x, eps = (a.astype(np.float32).astype(np.float64) for a in point(network, rng))
    expected, expected_grads = network.loss_and_grad(params, x, eps)
    with kernels.using(choice):
        loss, grads = network.loss_and_grad(*(a.astype(dtype) for a in (params, x, eps)))
    assert {loss.total.dtype, loss.kl.dtype, grads.flat.dtype} == {np.dtype(dtype)}
    loss_tolerance, tolerance = (1e-5, 1e-4) if dtype == np.float32 else (1e-12, 1e-12)
    np.testing.assert_allclose(loss, expected, rtol=loss_tolerance)
    assert_gradients_close(grads, expected_grads, tolerance)


@pytest.mark.parametrize("choice", kernels.CHOICES)
def test_float32_stays_float32_with_settings_that_are_numpy_numbers(choice, rng):
    """As they come out of a grid search over np.linspace."""
    network = VAENetwork(
        n_features=4,
        latent_dim=2,
        hidden=(5,),
        activation="leaky_relu",
        negative_slope=np.float64(0.2),
        noise_variance=np.float64(0.5),
        beta=np.float64(2),
    )
    params, x, eps = (a.astype(np.float32) for a in point(network, rng))
    with kernels.using(choice):
        terms, (_, encoder_cache, _, decoder_cache, likelihood_cache, _) = network.forward(params, x, eps)
        loss, grads = network.loss_and_grad(params, x, eps)
        d_output = network.reconstruction_backward(terms[0], likelihood_cache, grads)
        dz = network.decoder_backward(d_output, decoder_cache, grads)
        dh = network.encoder_backward(dz, dz, encoder_cache, grads)
    found = {"terms": terms[0], "total": loss.total, "output": d_output, "z": dz, "hidden": dh}
    assert {name: array.dtype.name for name, array in found.items()} == dict.fromkeys(found, "float32")


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf"), "1", None])
def test_beta_out_of_range_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a number of at least 0"):
        VAENetwork(n_features=4, latent_dim=2, beta=beta)


def test_one_sample(rng):
    params, x, eps = point(LINEAR, rng, n=1)
    loss, grads = LINEAR.loss_and_grad(params, x, eps)
    (reconstruction, kl), _ = LINEAR.forward(params, x, eps)
    assert loss.total == reconstruction[0] + kl[0]
    assert np.isfinite(grads.flat).all()
