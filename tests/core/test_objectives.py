"""Several draws of z: against autograd, against the network of one draw, and against exact evidence."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad
from scipy import special, stats

from npvae import kernels
from npvae.core.objectives import (
    MultiSampleVAENetwork,
    importance_bound_backward,
    importance_bound_forward,
    log_ratio_backward,
    log_ratio_forward,
    log_weights_forward,
)
from npvae.core.vae import VAENetwork
from npvae.gradcheck import check_network, check_vjp
from tests.core.points import EVERY_KIND, assert_gradients_close, label, random_parameters

N, K = 5, 3
every_kind = pytest.mark.parametrize("settings", EVERY_KIND, ids=label)
both = pytest.mark.parametrize("objective", ["elbo", "iwae"])


def point(network, rng, n=N, scale=0.7):
    params = random_parameters(network, rng, scale)
    return params, rng.uniform(size=(n, network.n_features)), rng.standard_normal(network.noise_shape(n))


def one_draw(settings, **more):
    return VAENetwork(**settings, **more)


@pytest.mark.parametrize(("seed", "scale"), [(0, 0.3), (1, 3.0), (2, 300.0)])
def test_bound_equals_scipy_and_its_gradient_the_numeric_ones(seed, scale):
    log_weights = scale * np.random.default_rng(seed).standard_normal((6, 4))
    bound, _ = importance_bound_forward(log_weights)
    np.testing.assert_allclose(bound, special.logsumexp(log_weights, axis=1) - np.log(4), rtol=1e-13)
    report = check_vjp(importance_bound_forward, importance_bound_backward, [log_weights], seed=seed)
    assert report.passed, str(report)


@pytest.mark.parametrize(("seed", "scale"), [(0, 0.3), (1, 3.0)])
def test_log_ratio_equals_scipy_and_its_gradient_the_numeric_ones(seed, scale):
    mu, log_var, eps = scale * np.random.default_rng(seed).standard_normal((3, 6, 4))
    std = np.exp(log_var / 2)
    z = mu + std * eps
    log_ratio, _ = log_ratio_forward(z, log_var, eps)
    expected = (stats.norm.logpdf(z, mu, std) - stats.norm.logpdf(z)).sum(axis=1)
    np.testing.assert_allclose(log_ratio, expected, rtol=1e-9)
    arguments = [z, log_var, eps]
    report = check_vjp(log_ratio_forward, log_ratio_backward, arguments, wrt=["z", "log_var"], seed=seed)
    assert report.passed, str(report)


def test_the_log_ratio_of_a_narrow_posterior_keeps_its_digits():
    """With std = e^-20 beside mu = 1, float32 forgets the noise in z."""
    log_var, eps = np.full((1, 1), -40, np.float32), np.full((1, 1), 1.5, np.float32)
    z = np.ones((1, 1), np.float32)
    assert log_ratio_forward(z, log_var, eps)[0][0] == np.float32((1 - 1.5**2 + 40) / 2)


def test_bound_of_weights_that_no_float_can_hold():
    log_weights = np.array([[-5000.0, -5001.0], [4000.0, 3000.0]])
    bound, shares = importance_bound_forward(log_weights)
    np.testing.assert_allclose(bound, [-5000 + np.log((1 + np.exp(-1)) / 2), 4000 - np.log(2)], rtol=1e-14)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(importance_bound_backward(np.ones(2), shares)[1], [1, 0])


def oracle(network, params, x, eps, beta):
    """The IWAE's bound in the plainest form, one draw after the other, differentiated by autograd."""
    activation = {"identity": lambda a: a, "tanh": anp.tanh}[network.activation]

    def loss(p):
        h = x
        for i in range(len(network.hidden)):
            h = activation(anp.dot(h, p[f"encoder.{i}.W"]) + p[f"encoder.{i}.b"])
        mu = anp.dot(h, p["mu.W"]) + p["mu.b"]
        std = anp.exp((anp.dot(h, p["log_var.W"]) + p["log_var.b"]) / 2)
        log_weights = []
        for i in range(eps.shape[1]):
            z = mu + std * eps[:, i]
            g = z
            for layer in range(len(network.hidden)):
                g = activation(anp.dot(g, p[f"decoder.{layer}.W"]) + p[f"decoder.{layer}.b"])
            theta = 1 / (1 + anp.exp(-(anp.dot(g, p["output.W"]) + p["output.b"])))
            log_p_x = anp.sum(x * anp.log(theta) + (1 - x) * anp.log(1 - theta), axis=1)
            log_p_z = anp.sum(-(z**2) / 2 - anp.log(2 * anp.pi) / 2, axis=1)
            log_q = anp.sum(-(((z - mu) / std) ** 2) / 2 - anp.log(2 * anp.pi) / 2 - anp.log(std), axis=1)
            log_weights.append(log_p_x + beta * (log_p_z - log_q))
        weights = sum(anp.exp(w) for w in log_weights) / len(log_weights)
        return -anp.mean(anp.log(weights))

    return value_and_grad(loss)(dict(params))


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
def test_iwae_equals_autograd(hidden, beta, rng):
    activation = "tanh" if hidden else "identity"
    network = MultiSampleVAENetwork(
        n_features=3, latent_dim=2, hidden=hidden, activation=activation, likelihood="bernoulli", n_draws=K,
        beta=beta,
    )  # fmt: skip
    params, x, eps = point(network, rng)
    loss, grads = network.loss_and_grad(params, x, eps)
    expected_loss, expected = oracle(network, params, x, eps, beta)
    assert loss.total == pytest.approx(expected_loss, rel=1e-12)
    assert_gradients_close(grads, expected, 1e-10)


@both
@pytest.mark.parametrize("settings", EVERY_KIND[::3], ids=label)
def test_gradients_agree_with_both_numeric_ones(settings, objective, rng):
    network = MultiSampleVAENetwork(objective=objective, n_draws=K, beta=1.5, **settings)
    report = check_network(network, *point(network, rng), seed=0)
    assert report.passed, str(report)


@every_kind
def test_elbo_is_the_mean_of_those_of_single_draws(settings, rng):
    network = MultiSampleVAENetwork(objective="elbo", n_draws=K, beta=2.0, **settings)
    single = one_draw(settings, beta=2.0)
    params, x, eps = point(network, rng)
    loss, grads = network.loss_and_grad(params, x, eps)
    losses, gradients = zip(*(single.loss_and_grad(params, x, eps[:, i]) for i in range(K)), strict=True)
    np.testing.assert_allclose(loss, np.mean(losses, axis=0), rtol=1e-12)
    mean = np.mean([gradient.flat for gradient in gradients], axis=0)
    np.testing.assert_allclose(grads.flat, mean, rtol=1e-9, atol=1e-12)


@both
def test_equal_draws_are_as_good_as_one(objective, rng):
    settings = EVERY_KIND[-1]
    network = MultiSampleVAENetwork(objective=objective, n_draws=K, **settings)
    alone = MultiSampleVAENetwork(objective=objective, n_draws=1, **settings)
    params, x, eps = point(alone, rng)
    loss, grads = alone.loss_and_grad(params, x, eps)
    repeated, grads_repeated = network.loss_and_grad(params, x, np.repeat(eps, K, axis=1))
    np.testing.assert_allclose(repeated, loss, rtol=1e-12)
    np.testing.assert_allclose(grads_repeated.flat, grads.flat, rtol=1e-9, atol=1e-12)


def test_one_draw_of_iwae_is_the_elbo_with_a_drawn_kl(rng):
    settings = {"n_features": 4, "latent_dim": 2, "hidden": (5,), "likelihood": "bernoulli"}
    network = MultiSampleVAENetwork(n_draws=1, **settings)
    params, x, eps = point(network, rng)
    (reconstruction, _), _ = one_draw(settings).forward(params, x, eps[:, 0])
    mu, log_var = network.encode(params, x)
    std = np.exp(log_var / 2)
    z = mu + std * eps[:, 0]
    drawn_kl = (stats.norm.logpdf(z, mu, std) - stats.norm.logpdf(z)).sum(axis=1)
    loss = network.loss(params, x, eps)
    assert loss.total == pytest.approx((reconstruction + drawn_kl).mean(), rel=1e-12)
    assert loss.kl == pytest.approx(((mu**2 + std**2 - 1) / 2 - np.log(std)).sum(axis=1).mean(), rel=1e-12)


def test_the_bound_rises_with_k_to_the_log_evidence(rng):
    """A linear decoder: x ~ N(b, W^T W + variance I), so ln p(x) is known."""
    settings = {"n_features": 4, "latent_dim": 2, "hidden": (), "noise_variance": 0.3}
    means, errors = [], []
    params = random_parameters(one_draw(settings), rng, 0.4)
    x = rng.uniform(size=(1, 4))
    W, b = params["output.W"], params["output.b"]
    evidence = stats.multivariate_normal(b, W.T @ W + 0.3 * np.eye(4)).logpdf(x[0])
    for k in (1, 5, 50, 500):
        network = MultiSampleVAENetwork(n_draws=k, **settings)
        eps = rng.standard_normal(network.noise_shape(4000))
        (log_weights, _, _), _ = log_weights_forward(network, params, np.tile(x, (4000, 1)), eps)
        bounds, _ = importance_bound_forward(log_weights)
        means.append(bounds.mean())
        errors.append(bounds.std() / np.sqrt(len(bounds)))
    assert all(
        later - earlier > 4 * error
        for earlier, later, error in zip(means[:2], means[1:3], errors[:2], strict=True)
    )
    assert means[0] < means[1] < means[2] < evidence + 4 * errors[2]
    assert abs(means[3] - evidence) < 4 * errors[3] + 0.01  # what is left of the bias: var(w) / (2 k)


def test_with_the_true_posterior_every_draw_gives_the_evidence(rng):
    """Then ln p(x | z) + ln p(z) - ln q(z | x) is ln p(x), whatever z is."""
    settings = {"n_features": 4, "latent_dim": 2, "hidden": (), "noise_variance": 0.3}
    network = MultiSampleVAENetwork(n_draws=K, **settings)
    params, x, eps = point(network, rng, n=1)
    params["output.W"] = W = np.diag([0.8, 1.7]) @ np.eye(2, 4)
    b = params["output.b"]
    variance = 1 / (1 + np.diag(W @ W.T) / 0.3)  # diagonal, as the rows are orthogonal
    params["mu.W"], params["log_var.W"] = np.zeros((4, 2)), np.zeros((4, 2))
    params["mu.b"], params["log_var.b"] = (x[0] - b) @ W.T / 0.3 * variance, np.log(variance)
    evidence = stats.multivariate_normal(b, W.T @ W + 0.3 * np.eye(4)).logpdf(x[0])
    (log_weights, _, _), _ = log_weights_forward(network, params, x, eps)
    np.testing.assert_allclose(log_weights, np.full((1, K), evidence), rtol=1e-12)
    assert network.loss(params, x, eps).total == pytest.approx(-evidence, rel=1e-12)


@both
def test_beta_of_a_call_replaces_the_networks(objective, rng):
    settings = {"n_features": 4, "latent_dim": 2, "hidden": (5,), "objective": objective, "n_draws": K}
    network = MultiSampleVAENetwork(**settings)
    params, x, eps = point(network, rng)
    loss, grads = network.loss_and_grad(params, x, eps, beta=0.25)
    other_loss, other_grads = MultiSampleVAENetwork(beta=0.25, **settings).loss_and_grad(params, x, eps)
    assert loss == other_loss
    assert loss == network.loss(params, x, eps, beta=0.25)
    np.testing.assert_array_equal(grads.flat, other_grads.flat)


@both
@pytest.mark.parametrize("choice", kernels.CHOICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
@pytest.mark.parametrize("settings", EVERY_KIND[::7], ids=label)
def test_runs_in_every_data_type(settings, dtype, choice, objective, rng):
    network = MultiSampleVAENetwork(objective=objective, n_draws=K, beta=2.0, **settings)
    arguments = [a.astype(np.float32).astype(np.float64) for a in point(network, rng)]
    expected, expected_grads = network.loss_and_grad(*arguments)
    for array in arguments[1:]:
        array.flags.writeable = False
    with kernels.using(choice):
        loss, grads = network.loss_and_grad(*(a.astype(dtype) for a in arguments))
    assert {loss.total.dtype, loss.kl.dtype, grads.flat.dtype} == {np.dtype(dtype)}
    loss_tolerance, tolerance = (1e-5, 1e-4) if dtype == np.float32 else (1e-12, 1e-11)
    np.testing.assert_allclose(loss, expected, rtol=loss_tolerance)
    assert_gradients_close(grads, expected_grads, tolerance)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "vi"}, "objective must be one of elbo, iwae"),
        ({"n_draws": 0}, "n_draws must be an integer of at least 1"),
        ({"n_draws": 2.5}, "n_draws must be an integer of at least 1"),
        ({"beta": -1}, "beta must be a number"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MultiSampleVAENetwork(n_features=4, latent_dim=2, **settings)
