"""The learned noise variance follows the residuals, from any start, within a few epochs."""

import numpy as np
import pytest

from npvae import VAE, Autoencoder
from npvae.core.autoencoder import AutoencoderNetwork
from npvae.core.init import init_parameters
from npvae.core.objectives import MultiSampleVAENetwork
from npvae.core.vae import VAENetwork
from npvae.estimators.columns import Columns
from npvae.training import SGD, Stepper
from npvae.training.noise_variance import LOG_NOISE_VARIANCE, follow_residuals

SETTINGS = {"n_features": 6, "latent_dim": 2, "hidden": (5,), "noise_variance": "learned"}
both = pytest.mark.parametrize("cls", [VAE, Autoencoder])


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(5)
    return (
        rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6)) + 0.3 * rng.standard_normal((300, 6))
    ).astype(np.float32)


def stepper_of(network, log_noise_var, **options):
    params = init_parameters(network.shapes(), np.random.default_rng(0))
    params[LOG_NOISE_VARIANCE] = [log_noise_var]
    return Stepper(network, params, SGD(0.0), np.random.default_rng(1), **options)


@pytest.mark.parametrize("n_rows", [1, 100])
@pytest.mark.parametrize("start", [-3.0, 0.0, 2.0])
def test_a_step_averages_the_batchs_optimal_variance_with_the_current_one(n_rows, start, X):
    """Nothing else moves at learning rate 0, so the residuals stay those of the start."""
    network, x = AutoencoderNetwork(**SETTINGS), X[:n_rows]
    stepper = stepper_of(network, start)
    best = np.mean((x - network.decode(stepper.params, network.encode(stepper.params, x))) ** 2)
    stepper.step(x, 0.0)
    rho = n_rows / (n_rows + 128)
    expected = (1 - rho) * np.exp(start) + rho * best
    assert network.noise_var(stepper.params) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "network",
    [VAENetwork(**SETTINGS), MultiSampleVAENetwork(**SETTINGS, objective="iwae", n_draws=3)],
    ids=["vae", "iwae"],
)
@pytest.mark.parametrize("start", [-12.0, 12.0])
def test_it_settles_where_its_gradient_vanishes(network, start, X):
    stepper = stepper_of(network, start)
    for _ in range(60):
        stepper.step(X, 0.0)
    gradients = []
    for seed in range(50):
        eps = np.random.default_rng(seed).standard_normal(network.noise_shape(len(X)), dtype=np.float32)
        gradients.append(network.loss_and_grad(stepper.params, X, eps)[1][LOG_NOISE_VARIANCE][0])
    assert abs(np.mean(gradients)) < 0.05  # it is 3 where the variance is far too large


def test_the_optimizer_does_not_see_it(X):
    """Neither its moments nor the norm that gradients are clipped by."""
    network = AutoencoderNetwork(**SETTINGS)
    free, clipped = stepper_of(network, -6.0), stepper_of(network, -6.0, max_grad_norm=1e9)
    for stepper in (free, clipped):
        stepper.step(X, 1e-6)
    np.testing.assert_array_equal(free.params.flat, clipped.params.flat)
    _, grads = network.loss_and_grad(stepper_of(network, -6.0).params, X)
    others = np.linalg.norm(grads.flat[:-1].astype(np.float64))
    assert abs(grads.flat[-1]) > others / 1e3
    start, limited = (
        stepper_of(network, -6.0).params.flat,
        stepper_of(network, -6.0, max_grad_norm=1.01 * others),
    )
    limited.step(X, 1e-6)
    np.testing.assert_allclose(limited.params.flat - start, free.params.flat - start, rtol=1e-3, atol=1e-8)


def test_it_does_not_fall_below_the_least():
    params = init_parameters(AutoencoderNetwork(**SETTINGS).shapes(), np.random.default_rng(0))
    for _ in range(200):
        follow_residuals(params, 3.0, 100, 6, 1e-4)  # no residual at all
    assert np.exp(params[LOG_NOISE_VARIANCE][0]) == pytest.approx(1e-4, rel=1e-5)


@both
def test_data_reconstructed_exactly_do_no_harm(cls):
    """Constant data have no best variance, and neither has a code as wide as the data."""
    model = cls(hidden=(8,), max_epochs=200, tol=None, learning_rate=1e-2, random_state=0)
    model.fit(np.full((100, 3), 4.0) + np.random.default_rng(0).random((100, 1)))
    assert np.isfinite(model.history_["loss"]).all()
    assert model.network_.noise_var(model.params_) > 0


@both
def test_a_fit_starts_at_the_datas_variance_and_ends_at_the_residuals(cls, X):
    starts = []
    model = cls(hidden=(16,), learning_rate=0, max_epochs=1, random_state=0)
    model._start(X, X, np.arange(200), np.random.default_rng(0), Columns.of(X))
    assert model.network_.noise_var(model.params_) == pytest.approx(X[:200].var(axis=0).mean(), rel=1e-5)
    model = cls(hidden=(16,), batch_size=50, learning_rate=3e-3, random_state=0).fit(
        X, callbacks=[lambda state: starts.append(float(np.exp(state.params[LOG_NOISE_VARIANCE][0])))]
    )
    residual = np.mean((X - model.reconstruct(X)) ** 2)
    # A VAE's variance also answers for what the noise in z does to the reconstruction.
    assert 0.9 * residual < starts[-1] < (1.1 if cls is Autoencoder else 1.6) * residual


@both
@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_it_recovers_from_a_wrong_start_within_a_few_epochs(cls, factor, X):
    model = cls(hidden=(16,), random_state=0).partial_fit(X)
    model.params_[LOG_NOISE_VARIANCE] += np.float32(np.log(factor))
    for _ in range(10):  # of 3 steps
        model.partial_fit(X)
    residual = np.mean((X - model.reconstruct(X)) ** 2)
    assert 0.8 * residual < model.network_.noise_var(model.params_) < 1.6 * residual
