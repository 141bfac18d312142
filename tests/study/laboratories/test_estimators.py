import numpy as np
import pytest

from npvae.core.init import init_parameters
from npvae.core.objectives import one_row_per_draw
from npvae.core.vae import VAENetwork
from npvae.data import load_digits
from npvae.study.laboratories import estimators
from npvae.study.laboratories.estimators import (
    ESTIMATORS,
    exact_case,
    gradient_draws,
    run_estimators,
    scatter,
    true_posterior_case,
)


def test_the_exact_case(rng):
    """At theta = 2: 87 for the score function, 4 for the path, 42 + 34 / (k - 1) with a baseline."""
    cases = exact_case(2.0, 800_000, 8, rng)
    assert {name: case.exact for name, case in cases.items()} == {
        "score": 87.0, "leave-one-out": 42 + 34 / 7, "path": 4.0,
    }  # fmt: skip
    for case in cases.values():
        assert abs(case.mean.value - 4) < 4 * case.mean.standard_error
        assert case.mean.standard_error == pytest.approx(np.sqrt(case.exact / 800_000), rel=0.05)
        assert case.variance == pytest.approx(case.exact, rel=0.05)


@pytest.mark.parametrize("theta", [-1.5, 0.0, 3.0])
def test_the_formulas_by_quadrature(theta, rng):
    """Gauss-Hermite quadrature is exact for polynomials in the noise."""
    eps, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    cases = exact_case(theta, 1000, 2, rng)
    for name, g in [("score", (theta + eps) ** 2 * eps), ("path", 2 * (theta + eps))]:
        mean = weights @ g
        assert mean == pytest.approx(2 * theta, abs=1e-9)
        assert cases[name].exact == pytest.approx(weights @ g**2 - mean**2, rel=1e-9)
    first, second = np.meshgrid(eps, eps)  # two draws, each the other's baseline
    g = ((theta + first) ** 2 - (theta + second) ** 2) * (first - second) / 2
    both = np.outer(weights, weights)
    variance = np.sum(both * g**2) - np.sum(both * g) ** 2
    assert cases["leave-one-out"].exact == pytest.approx(2 * variance, rel=1e-9)


def test_sticking_the_landing_is_zero_at_the_true_posterior(rng):
    network, params, x = true_posterior_case()
    results = scatter(network, params, x, n_groups=400, group=8, rng=rng)
    assert results["sticking the landing"].largest_size < 1e-14  # roundings of numbers of about unit size
    assert results["path"].variance_mu == pytest.approx(0.5, rel=0.05)
    assert results["path, Monte Carlo KL"].variance_mu == pytest.approx(2, rel=0.05)
    assert all(result.largest_error < 4 for result in results.values())


def test_away_from_it_sticking_the_landing_is_not(rng):
    network, params, x = true_posterior_case()
    params["mu.b"] = [0.3]
    draws = gradient_draws(network, params, x, rng.standard_normal((3, 4, 1)))
    assert np.abs(draws["sticking the landing"][0]).min() > 0.1


@pytest.fixture
def vae(rng):
    network = VAENetwork(n_features=6, latent_dim=3, hidden=(8,), activation="tanh", likelihood="bernoulli")
    params = init_parameters(network.shapes(), rng, dtype=np.float64)
    return network, params, rng.uniform(size=(4, 6))


def test_the_path_is_what_the_vae_is_trained_with(vae, rng):
    network, params, x = vae
    eps = rng.standard_normal((4, 5, 3))
    _, grads = network.loss_and_grad(params, *one_row_per_draw(x, eps))
    for name, draws in zip(
        ("mu.b", "log_var.b"), gradient_draws(network, params, x, eps)["path"], strict=True
    ):
        np.testing.assert_allclose(draws.mean(axis=(0, 1)), grads[name], rtol=1e-12)


def test_all_are_unbiased_and_a_wrong_one_is_found(vae, rng, monkeypatch):
    network, params, x = vae
    results = scatter(network, params, x, n_groups=500, group=4, rng=rng)
    assert results.keys() == ESTIMATORS.keys()
    assert max(result.largest_error for result in results.values()) < 4

    def without_the_score(*args):
        """The Monte Carlo KL without ln q's direct dependence on log_var."""
        draws = gradient_draws(*args)
        d_mu, d_log_var = draws["path, Monte Carlo KL"]
        return draws | {"path, Monte Carlo KL": (d_mu, d_log_var + 0.5)}

    monkeypatch.setattr(estimators, "gradient_draws", without_the_score)
    results = scatter(network, params, x, n_groups=500, group=4, rng=rng)
    assert results["path, Monte Carlo KL"].largest_error > 20


def test_in_a_trained_vae():
    result = run_estimators(load_digits(), latent_dims=(2,), n_epochs=10, n_images=8, n_groups=150)
    variances = {name: s.variance_mu for name, s in result.trained[2].items()}
    assert max(s.largest_error for s in result.trained[2].values()) < 4
    assert variances["score"] > 50 * variances["leave-one-out"] > 100 * variances["path"] / 2
    assert variances["path, Monte Carlo KL"] > variances["path"] > 2 * variances["sticking the landing"]
